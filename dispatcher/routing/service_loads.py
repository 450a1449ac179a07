"""Loads of the services as they stand in Redis, read in one step for the prediction of first audio."""

from __future__ import annotations

from typing import Final

from dispatcher.messages import SERVICES, Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.lua_script import Script
from dispatcher.routing.rules import constants
from dispatcher.routing.rules.prediction import ServiceLoad
from dispatcher.turn_store.worker_heartbeats import LOST_AFTER_S

_LOADS: Final = Script.load(
    "dispatcher.routing",
    *("call_clock", "held_value", "service_load"),
    constants=constants,
    repeatable=True,
)


async def read_loads(redis: RedisClient, *, now_ms: float | None = None) -> dict[Service, ServiceLoad]:
    """Return the load of each service.

    Args:
        redis: shared state and broker.
        now_ms: the time of a simulation; without it the clock of Redis counts.

    Raises:
        StateError: Redis is out of reach.
    """
    answers = await redis.run(
        _LOADS,
        keys={"workers": keys.WORKERS},
        rest_keys=[key for each in SERVICES for key in (keys.fleet(each), keys.waiting(each), each)],
        arguments={"now_ms": now_ms, "lost_after_ms": round(LOST_AFTER_S * 1000)},
        rest=[prefix for each in SERVICES for prefix in (keys.instance(each, ""), keys.leases(each, ""))],
    )
    return {
        service: ServiceLoad(
            slots=slots,
            in_flight=in_flight,
            waiting=waiting,
            queued=queued,
            queued_s=queued_ms / 1000,
            hold_s=float(hold_ms or 0) / 1000,
            first_s=float(first_ms or 0) / 1000,
            workers=workers,
        )
        for service, (slots, in_flight, waiting, queued, queued_ms, hold_ms, first_ms, workers) in zip(
            SERVICES, answers, strict=True
        )
    }

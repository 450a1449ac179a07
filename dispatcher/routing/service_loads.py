"""Loads of the services as they stand in Redis, read in one step for the prediction of first audio."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
_NONE: Final[Mapping[Service, Collection[str]]] = {}
_FIRST_DUE_MS: Final[Mapping[Service, int]] = {"tts": round(constants.FIRST_SENTENCE_DUE_S * 1000)}


def _keys_of(service: Service) -> tuple[str, ...]:
    return keys.fleet(service), keys.waiting(service), keys.line("rounds", service), service


def _words_of(service: Service, barred: Mapping[Service, Collection[str]]) -> tuple[str, str, int, str]:
    names = ",".join(barred.get(service, ()))
    return keys.instance(service, ""), keys.leases(service, ""), _FIRST_DUE_MS.get(service, 0), f",{names},"


async def read_loads(
    redis: RedisClient,
    *,
    barred: Mapping[Service, Collection[str]] = _NONE,
    now_ms: float | None = None,
) -> dict[Service, ServiceLoad]:
    """Return the load of each service.

    Args:
        redis: shared state and broker.
        barred: instances that get no call for want of a budget (`read_barred`).
        now_ms: the time of a simulation; without it the clock of Redis counts.

    Raises:
        StateError: Redis is out of reach.
    """
    answers = await redis.run(
        _LOADS,
        keys={"workers": keys.WORKERS},
        rest_keys=[key for each in SERVICES for key in _keys_of(each)],
        arguments={"now_ms": now_ms, "lost_after_ms": round(LOST_AFTER_S * 1000)},
        rest=[word for each in SERVICES for word in _words_of(each, barred)],
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

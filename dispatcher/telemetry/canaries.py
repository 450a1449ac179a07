"""Canaries: tiny tasks in every queue, whose arrival proves that the queue is consumed, and how fast."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from dispatcher.messages import CONTROL_QUEUE, QUEUES
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text, clock_ms
from dispatcher.redis_client.lua_script import Script

log = structlog.get_logger(__name__)

# So many periods without a canary, and the queue counts as not consumed.
LOST_AFTER_PERIODS: Final = 3

_CANARY = Script.load("dispatcher.telemetry", "clock", "canary")


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryView:
    """The canaries of one queue.

    Attributes:
        consumed_s_ago: since the last one was taken; None when none ever was.
        delay_ms: how long that one had waited; more than a few ms means that all slots are busy.
        period_s: how often one is sent; None when none ever was taken.
        lost: whether the control worker has warned that the queue is not consumed.
    """

    queue: str
    consumed_s_ago: float | None
    delay_ms: float | None
    period_s: float | None
    lost: bool

    @property
    def is_consumed(self) -> bool:
        """Whether a canary was taken within the last three periods."""
        if self.consumed_s_ago is None or self.period_s is None:
            return False
        return self.consumed_s_ago <= LOST_AFTER_PERIODS * self.period_s


async def receive(redis: RedisClient, queue: str, *, delay_ms: float, period_s: float) -> None:
    """Record a canary, and warn of queues that lost theirs; the canary of `control` checks all of them.

    Raises:
        StateError: Redis is out of reach.
    """
    if await record_canary(redis, queue, delay_ms=delay_ms, period_s=period_s):
        log.warning("queue consumed again", queue=queue, delay_ms=round(delay_ms))
    if queue == CONTROL_QUEUE:
        for lost in await mark_lost_queues(redis, period_s=period_s):
            log.warning("queue not consumed", queue=lost, for_s=LOST_AFTER_PERIODS * period_s)


async def record_canary(redis: RedisClient, queue: str, *, delay_ms: float, period_s: float) -> bool:
    """Note a canary that was taken; return whether the queue had been called not consumed.

    Raises:
        StateError: Redis is out of reach.
    """
    period_ms = round(period_s * 1000)
    arguments = {
        "delay_ms": round(max(0.0, delay_ms), 1),
        "period_ms": period_ms,
        "lost_after_ms": LOST_AFTER_PERIODS * period_ms,
    }
    return bool(await redis.run(_CANARY, keys={"canary": keys.canary(queue)}, arguments=arguments))


async def read_canaries(redis: RedisClient) -> tuple[CanaryView, ...]:
    """Return what is known of every queue, in the order of `messages.QUEUES`.

    Raises:
        StateError: Redis is out of reach.
    """
    now_ms, hashes = await _read(redis)
    return tuple(_view(queue, fields, now_ms) for queue, fields in zip(QUEUES, hashes, strict=True))


async def mark_lost_queues(redis: RedisClient, *, period_s: float) -> list[str]:
    """Return the queues that have just been found not consumed; each is returned once until it is again.

    Called with each canary of the control queue: before those came, no process could have noticed.

    Raises:
        StateError: Redis is out of reach.
    """
    now_ms, hashes = await _read(redis)
    known = dict(zip(QUEUES, hashes, strict=True))
    watched_since_ms = float(known[CONTROL_QUEUE].get("unbroken_since_ms", now_ms))
    silent = [
        queue
        for queue, fields in known.items()
        if now_ms - max(watched_since_ms, float(fields.get("at_ms", 0)))
        > LOST_AFTER_PERIODS * period_s * 1000
    ]
    return [queue for queue in silent if await redis.execute("HSETNX", keys.canary(queue), "lost", now_ms)]


async def _read(redis: RedisClient) -> tuple[int, Sequence[Mapping[str, str]]]:
    clock, *flat = await asyncio.gather(
        redis.submit(("TIME",)), *(redis.submit(("HGETALL", keys.canary(queue))) for queue in QUEUES)
    )
    return clock_ms(clock), [as_text(each) for each in flat]


def _view(queue: str, fields: Mapping[str, str], now_ms: int) -> CanaryView:
    if "at_ms" not in fields:
        return CanaryView(
            queue=queue, consumed_s_ago=None, delay_ms=None, period_s=None, lost="lost" in fields
        )
    return CanaryView(
        queue=queue,
        consumed_s_ago=max(0.0, (now_ms - int(fields["at_ms"])) / 1000),
        delay_ms=float(fields["delay_ms"]),
        period_s=int(fields["period_ms"]) / 1000,
        lost="lost" in fields,
    )

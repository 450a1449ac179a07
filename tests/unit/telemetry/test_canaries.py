"""Canaries: a queue whose canaries come is consumed, and one that lost them is warned of once."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from dispatcher.messages import CONTROL_QUEUE, QUEUES
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.telemetry import canaries

PERIOD_S = 10.0


async def silence(redis: RedisClient, queue: str, for_s: float) -> None:
    """Let the last canary of a queue be so long ago."""
    now_s, _ = await redis.execute("TIME")
    await redis.execute("HSET", keys.canary(queue), "at_ms", (int(now_s) - for_s) * 1000)


async def watch_for(redis: RedisClient, for_s: float) -> None:
    """Let the control queue have been consumed without a break for so long."""
    now_s, _ = await redis.execute("TIME")
    await redis.execute("HSET", keys.canary(CONTROL_QUEUE), "unbroken_since_ms", (int(now_s) - for_s) * 1000)


async def test_a_queue_is_consumed_for_three_periods_after_its_last_canary(redis: RedisClient) -> None:
    assert not any(view.is_consumed for view in await canaries.read_canaries(redis))
    await canaries.record_canary(redis, "llm", delay_ms=-3.0, period_s=PERIOD_S)
    views = {view.queue: view for view in await canaries.read_canaries(redis)}
    assert list(views) == list(QUEUES)
    assert (views["llm"].is_consumed, views["llm"].delay_ms, views["llm"].period_s) == (True, 0.0, PERIOD_S)
    await silence(redis, "llm", 31)
    views = {view.queue: view for view in await canaries.read_canaries(redis)}
    assert not views["llm"].is_consumed
    assert not views["tts"].is_consumed


async def test_a_silent_queue_is_warned_of_once_and_its_return_is_told(redis: RedisClient) -> None:
    for queue in QUEUES:
        await canaries.receive(redis, queue, delay_ms=1.0, period_s=PERIOD_S)
    await watch_for(redis, 60)
    await silence(redis, "tts", 60)
    with capture_logs() as logged:
        for _ in range(2):
            await canaries.receive(redis, CONTROL_QUEUE, delay_ms=1.0, period_s=PERIOD_S)
    assert [(each["event"], each["queue"]) for each in logged] == [("queue not consumed", "tts")]
    assert [view.queue for view in await canaries.read_canaries(redis) if view.lost] == ["tts"]
    with capture_logs() as logged:
        await canaries.receive(redis, "tts", delay_ms=7.0, period_s=PERIOD_S)
    assert [each["event"] for each in logged] == ["queue consumed again"]
    assert not any(view.lost for view in await canaries.read_canaries(redis))


@pytest.mark.parametrize("for_s", [0, 29])
async def test_a_control_worker_that_just_began_calls_no_queue_lost(redis: RedisClient, for_s: int) -> None:
    await canaries.record_canary(redis, CONTROL_QUEUE, delay_ms=1.0, period_s=PERIOD_S)
    await watch_for(redis, for_s)
    assert await canaries.mark_lost_queues(redis, period_s=PERIOD_S) == []

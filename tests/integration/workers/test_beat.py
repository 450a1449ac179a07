"""Beat's ticks: once each, however many beats there are, and none lost when one of them dies."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from redis import Redis

from dispatcher.control import tick_lock
from dispatcher.messages import CHECK_HEALTH, CONTROL_QUEUE
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.telemetry import canaries
from dispatcher.telemetry.canaries import CanaryView
from tests.support.broker import Broker
from tests.support.clockwork import Clockwork, events, times_s
from tests.support.instances import Instances
from tests.support.waiting import eventually, soon
from workers.celery_ext.beat import MAX_QUEUED

# A health check and a canary each second.
TICK_SCALE = 0.2
PERIOD_S = 1.0
LONGEST_GAP_S = 20.0


@pytest.fixture
def clockwork(tmp_path: Path, fresh_broker: Broker, instances: Instances) -> Iterator[Clockwork]:
    with Clockwork.made(tmp_path, fresh_broker, instances, tick_scale=TICK_SCALE) as made:
        made.configure(health_check_interval=5)
        yield made


def checks(control_worker: object, event: str = "tick taken") -> list[float]:
    return times_s(control_worker, event, task=CHECK_HEALTH)  # type: ignore[arg-type]


def test_two_beats_make_one_beats_worth_of_ticks_and_one_that_dies_leaves_no_gap(
    clockwork: Clockwork,
) -> None:
    control = clockwork.worker("control")
    beats = [clockwork.beat(f"beat-{number}") for number in (1, 2)]
    eventually(lambda: len(checks(control, "tick dropped")) >= 3, what="the second beat's ticks are dropped")
    eventually(lambda: len(checks(control)) >= 3, what="ticks are taken")
    both = len(checks(control))

    beats[0].kill()
    eventually(lambda: len(checks(control)) >= both + 3, what="ticks go on")

    gaps_s = [after - before for before, after in pairwise(checks(control))]
    sys.stdout.write(f"ticks {len(gaps_s) + 1}, gaps {min(gaps_s):.2f} to {max(gaps_s):.2f} s\n")
    # What is logged may be a little later than what it tells of.
    assert min(gaps_s) > 0.7 * PERIOD_S
    assert max(gaps_s) <= LONGEST_GAP_S
    assert all(beat.runs for beat in beats[1:])


def seen(url: str) -> dict[str, CanaryView]:
    async def read() -> dict[str, CanaryView]:
        redis = RedisClient(connect(url))
        views = await canaries.read_canaries(redis)
        await redis.close()
        return {view.queue: view for view in views}

    return asyncio.run(read())


def test_canaries_show_which_queues_are_consumed(clockwork: Clockwork) -> None:
    url = clockwork.broker.url
    with Redis.from_url(url) as client:
        client.rpush("tts", *["left by somebody"] * MAX_QUEUED)
    control, _, beat = clockwork.worker("control"), clockwork.worker("llm"), clockwork.beat()
    for queue in ("asr", "tts"):
        eventually(
            lambda q=queue: events(control, "queue not consumed", queue=q),  # type: ignore[misc]
            what=f"{queue} is missed",
        )
    found = seen(url)
    consumed = {queue for queue, view in found.items() if view.is_consumed}
    assert consumed == {"llm", CONTROL_QUEUE}
    assert (found["asr"].lost, found["llm"].lost, found["asr"].consumed_s_ago) == (True, False, None)

    late = clockwork.worker("asr")
    eventually(lambda: events(late, "queue consumed again", queue="asr"), what="asr is consumed again")
    found = seen(url)
    assert found["asr"].is_consumed
    assert not found["asr"].lost
    delays_ms = {queue: found[queue].delay_ms for queue in ("llm", CONTROL_QUEUE)}
    sys.stdout.write(f"delays {delays_ms}\n")
    # Told once, not at each look.
    assert len(events(control, "queue not consumed", queue="asr")) == 1
    assert len(events(beat, "beat sends nothing", queue="tts")) == 1
    with Redis.from_url(url) as client:
        assert client.llen("tts") == MAX_QUEUED


async def test_a_tick_is_taken_once_in_its_period(redis: RedisClient) -> None:
    assert await tick_lock.take(redis, "a task", period_s=60) is not None
    assert await tick_lock.take(redis, "a task", period_s=60) is None
    assert await tick_lock.take(redis, "another", period_s=60) is not None
    left_ms = await redis.execute("PTTL", keys.tick("a task"))
    assert 50_000 < left_ms <= 54_000


async def test_a_task_that_takes_longer_than_its_period_keeps_the_next_away(redis: RedisClient) -> None:
    slow = await tick_lock.take(redis, "slow", period_s=0.2)
    assert slow is not None
    assert await tick_lock.hold(redis, slow)
    # Longer than the period itself by now, were it not held.
    await redis.execute("PEXPIRE", keys.tick("slow"), 60_000)
    assert await tick_lock.take(redis, "slow", period_s=0.2) is None

    async def its_time_is_over() -> bool:
        await tick_lock.end(redis, slow)
        return not int(await redis.execute("EXISTS", keys.tick("slow")))

    await soon(its_time_is_over, what="the tick ends")
    assert not await tick_lock.hold(redis, slow)
    assert await tick_lock.take(redis, "slow", period_s=0.2) is not None


async def test_a_queue_without_canaries_is_told_once_and_only_after_three_periods(redis: RedisClient) -> None:
    assert await canaries.mark_lost_queues(redis, period_s=60) == []
    await canaries.record_canary(redis, CONTROL_QUEUE, delay_ms=1, period_s=60)
    assert await canaries.mark_lost_queues(redis, period_s=60) == []

    # As if canaries of the control queue had been coming for an hour.
    await redis.execute("HINCRBY", keys.canary(CONTROL_QUEUE), "unbroken_since_ms", -3_600_000)
    assert await canaries.mark_lost_queues(redis, period_s=60) == ["asr", "llm", "tts"]
    assert await canaries.mark_lost_queues(redis, period_s=60) == []
    assert await canaries.record_canary(redis, "llm", delay_ms=-5, period_s=60)
    assert not await canaries.record_canary(redis, "llm", delay_ms=7, period_s=60)
    views = {view.queue: view for view in await canaries.read_canaries(redis)}
    assert (views["llm"].is_consumed, views["llm"].delay_ms, views["asr"].is_consumed) == (True, 7, False)

"""Workers that show no life: what they had in hand is taken from them once, and their slots are free."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.leases import NoSlot, Slot
from dispatcher.turn_store import worker_heartbeats
from dispatcher.turn_store.worker_heartbeats import LostMessage
from tests.support.fleet import Fleet, llm

LIVING = "here:1:asr:aaaaaaaaaaaa"
GONE = f"here:2:llm,tts:{worker_heartbeats.PROCESS_TOKEN}"  # leases of this process are its


# Of the times of workers, so that what a busy machine takes for a test is nothing beside them.
SLOWER = 100


@pytest.fixture(autouse=True)
def slow_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every time that a worker or a front has be longer."""
    for name in (
        "BEAT_INTERVAL_S",
        "IDLE_BEAT_INTERVAL_S",
        "LOST_AFTER_S",
        "IDLE_GRACE_S",
        "LOST_REMEMBERED_S",
    ):
        monkeypatch.setattr(worker_heartbeats, name, SLOWER * getattr(worker_heartbeats, name))


@pytest.fixture
async def watched(redis: RedisClient) -> RedisClient:
    """Return a line to a Redis in which a front looked just now, and one worker is silent."""
    await worker_heartbeats.take_lost(redis)
    await worker_heartbeats.beat(redis, LIVING)
    await worker_heartbeats.beat(redis, GONE)
    await passes(redis, 1.5 * worker_heartbeats.LOST_AFTER_S)
    await redis.execute("LPUSH", keys.taken(LIVING), "kept")
    await redis.execute("LPUSH", keys.taken(GONE), "one", "two")
    return redis


async def passes(redis: RedisClient, seconds: float) -> None:
    """Let time pass for a worker that shows no life."""
    await redis.execute("ZINCRBY", keys.WORKERS, -seconds * 1000, GONE)


async def messages_of_lost(redis: RedisClient, *, grace_s: float = 0.0) -> list[bytes]:
    """Return what lost workers had in hand."""
    return [lost.message for lost in await worker_heartbeats.take_lost(redis, grace_s=grace_s)]


async def known(redis: RedisClient) -> set[bytes]:
    return set(await redis.execute("ZRANGE", keys.WORKERS, 0, -1))


async def test_of_many_fronts_one_is_given_what_a_lost_worker_had_in_hand(watched: RedisClient) -> None:
    found = await asyncio.gather(*(worker_heartbeats.take_lost(watched) for _ in range(8)))

    assert sorted(lost.message for each in found for lost in each) == [b"one", b"two"]
    assert await watched.execute("LRANGE", keys.taken(LIVING), 0, -1) == [b"kept"]


async def test_a_message_that_a_stopped_worker_is_given_late_is_found_as_well(watched: RedisClient) -> None:
    await worker_heartbeats.take_lost(watched)
    await watched.execute("LPUSH", keys.taken(GONE), "swallowed")

    assert await messages_of_lost(watched) == [b"swallowed"]


async def test_a_lost_worker_is_forgotten_after_a_while_and_a_leaving_one_at_once(
    watched: RedisClient,
) -> None:
    worker_heartbeats.leave(watched, LIVING)
    assert sorted(await messages_of_lost(watched)) == [b"kept", b"one", b"two"]
    assert await known(watched) == {b"watch", GONE.encode()}
    await passes(watched, worker_heartbeats.LOST_REMEMBERED_S)
    await worker_heartbeats.take_lost(watched)
    assert await known(watched) == {b"watch"}


async def test_where_nobody_looked_for_a_while_every_worker_has_another_second(watched: RedisClient) -> None:
    await watched.execute("ZINCRBY", keys.WORKERS, -1500 * worker_heartbeats.LOST_AFTER_S, "watch")

    assert await worker_heartbeats.take_lost(watched) == []
    await worker_heartbeats.beat(watched, GONE)
    assert await worker_heartbeats.take_lost(watched) == []


async def test_an_idle_worker_is_missed_later_and_a_front_that_asks_seldom_finds_it(
    redis: RedisClient,
) -> None:
    grace_s = worker_heartbeats.IDLE_GRACE_S
    await worker_heartbeats.take_lost(redis, grace_s=grace_s)
    await worker_heartbeats.beat(redis, GONE, grace_s=grace_s)
    await redis.execute("LPUSH", keys.taken(GONE), "one")
    await passes(redis, worker_heartbeats.LOST_AFTER_S + grace_s / 2)
    await redis.execute("ZINCRBY", keys.WORKERS, -worker_heartbeats.IDLE_BEAT_INTERVAL_S * 1000, "watch")
    assert await worker_heartbeats.take_lost(redis, grace_s=grace_s) == []
    await passes(redis, grace_s / 2)
    assert await messages_of_lost(redis, grace_s=grace_s) == [b"one"]


async def test_a_worker_that_takes_a_message_has_no_grace_any_more(redis: RedisClient) -> None:
    await worker_heartbeats.beat(redis, GONE, grace_s=worker_heartbeats.IDLE_GRACE_S)
    (idle,) = await worker_heartbeats.read_beats(redis)
    await worker_heartbeats.beat(redis, GONE)
    (busy,) = await worker_heartbeats.read_beats(redis)
    assert busy.at_ms < idle.at_ms
    worker_heartbeats.mark_lost(redis, idle)
    await redis.execute("LPUSH", keys.taken(GONE), "one")
    await worker_heartbeats.take_lost(redis)
    assert await worker_heartbeats.take_lost(redis) == []


async def test_the_slots_of_a_lost_worker_are_free_at_once_and_its_place_in_line_too(
    watched: RedisClient, fleet: Fleet
) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    held = await fleet.pick()
    assert await fleet.try_pick() == NoSlot(full=True)
    await watched.execute("ZADD", keys.waiting("llm"), 1, f"{worker_heartbeats.PROCESS_TOKEN}-waits")

    await worker_heartbeats.take_lost(watched)

    assert await watched.execute("ZCARD", keys.waiting("llm")) == 0
    again: Any = await fleet.try_pick()
    assert isinstance(again, Slot)
    assert again.lease_id != held.lease_id


async def test_a_worker_that_is_known_to_have_ended_is_lost_before_it_is_missed(watched: RedisClient) -> None:
    await worker_heartbeats.beat(watched, LIVING)
    (beat,) = [beat for beat in await worker_heartbeats.read_beats(watched) if beat.worker == LIVING]
    assert (beat.host, beat.pid, beat.is_leaving) == ("here", 1, False)
    worker_heartbeats.mark_lost(watched, beat)
    assert await worker_heartbeats.take_lost(watched) == [
        LostMessage(message=b"kept", has_ended=True),
        LostMessage(message=b"two", has_ended=False),
        LostMessage(message=b"one", has_ended=False),
    ]
    assert LIVING.encode() in await known(watched), "it may have been given one more"


async def test_the_queue_of_a_worker_that_has_ended_is_missed(watched: RedisClient) -> None:
    (beat,) = [beat for beat in await worker_heartbeats.read_beats(watched) if beat.worker == LIVING]
    worker_heartbeats.mark_lost(watched, beat)
    assert "asr" in await worker_heartbeats.beat(watched, "there:1:control:bbbbbbbbbbbb")


async def test_a_queue_whose_workers_are_all_lost_is_missed_until_one_is_back(watched: RedisClient) -> None:
    assert await worker_heartbeats.beat(watched, LIVING) == {"llm", "tts"}
    assert await worker_heartbeats.beat(watched, "there:1:tts:bbbbbbbbbbbb") == {"llm"}
    worker_heartbeats.leave(watched, GONE)
    assert await worker_heartbeats.beat(watched, LIVING) == set(), "who leaves of itself is not missed"

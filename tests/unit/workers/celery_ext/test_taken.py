"""Heartbeats of a worker process: many while it has messages in hand, few while it has none."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from redis.asyncio import Redis

from dispatcher import chains
from dispatcher.messages import TurnTicket
from dispatcher.pipeline.loop_thread import LoopThread
from dispatcher.redis_client.client import RedisClient
from dispatcher.turn_store import worker_heartbeats
from tests.support.virtual_time import run_in_virtual_time
from tests.unit.memory_redis import MemoryRedis
from workers.celery_ext.taken import TakenMessages

WATCHED_S = 60
LONG_S = 20.0


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the graces of the heartbeats that are sent."""
    sent: list[float] = []

    async def beat(_: RedisClient, worker: str, *, grace_s: float) -> set[str]:  # noqa: ARG001
        sent.append(grace_s)
        return set()

    monkeypatch.setattr(worker_heartbeats, "beat", beat)
    return sent


def test_a_worker_with_nothing_in_hand_beats_once_a_second(beats: list[float]) -> None:
    async def scenario() -> None:
        following = asyncio.create_task(taken_messages().follow())
        await asyncio.sleep(WATCHED_S)
        following.cancel()

    run_in_virtual_time(scenario())
    assert len(beats) <= WATCHED_S / worker_heartbeats.IDLE_BEAT_INTERVAL_S + 1
    assert set(beats) == {worker_heartbeats.IDLE_GRACE_S}


def test_a_worker_that_takes_a_message_is_missed_without_grace_within_a_beat(beats: list[float]) -> None:
    async def scenario() -> None:
        taken = taken_messages()
        following = asyncio.create_task(taken.follow())
        await asyncio.sleep(WATCHED_S + 0.1)
        beats.clear()
        taken.add("llm", b"message")
        await asyncio.sleep(worker_heartbeats.BEAT_INTERVAL_S)
        assert beats == [0.0]
        await asyncio.sleep(WATCHED_S)
        following.cancel()

    run_in_virtual_time(scenario())
    assert len(beats) >= WATCHED_S / worker_heartbeats.BEAT_INTERVAL_S
    assert set(beats) == {0.0}


@pytest.mark.parametrize(("late_s", "shown"), [(1.5, 1), (0.5, 0)])
def test_a_worker_that_was_late_to_show_life_tells_what_it_still_works_on(
    monkeypatch: pytest.MonkeyPatch, late_s: float, shown: int
) -> None:
    delay_beats(monkeypatch, [0.0, 0.0, late_s])

    async def scenario() -> None:
        monkeypatch.setattr(
            "workers.celery_ext.taken.time.monotonic", lambda: asyncio.get_running_loop().time()
        )
        server = MemoryRedis()
        redis = server.redis()
        taken = TakenMessages()
        taken.begin(["tts"])
        taken.connect(cast("LoopThread", None), redis)
        ticket = TurnTicket(turn_id="t", attempt=2, device_id="d", reply_stream="s", deadline_at_s=9e9)
        await chains.synthesize(redis, ticket, index=3, text="One.")
        taken.add("tts", server.lists["tts"][0].encode())
        following = asyncio.create_task(taken.follow())
        await asyncio.sleep(WATCHED_S)
        following.cancel()
        told = [words for words in server.commands if words[0] == "XADD"]
        assert len(told) == shown
        assert all({"s", "waiting", "tts", "index", "3"} <= set(words) for words in told)

    run_in_virtual_time(scenario())


def delay_beats(monkeypatch: pytest.MonkeyPatch, delays: list[float]) -> None:
    """Let the first heartbeats reach Redis late."""

    async def beat(_: RedisClient, worker: str, *, grace_s: float) -> set[str]:  # noqa: ARG001
        await asyncio.sleep(delays.pop(0) if delays else 0.0)
        return set()

    monkeypatch.setattr(worker_heartbeats, "beat", beat)


def test_a_message_is_given_back_though_the_connection_broke_on_the_way() -> None:
    """What was in flight is sent again where that may be repeated, so that it has to be all or nothing."""

    async def scenario() -> None:
        server = MemoryRedis()
        redis = RedisClient(cast("Redis", server), reconnect_timeout_s=LONG_S)
        taken = TakenMessages()
        taken.begin(["llm"])
        taken.connect(cast("LoopThread", None), redis)
        taken.add("llm", b"message")
        server.answers.clear()
        taken.give_back()
        await asyncio.sleep(0.01)
        server.away = True
        server.answers.set()
        await asyncio.sleep(0.01)
        server.away = False
        await asyncio.sleep(LONG_S)
        await redis.close()
        ((name, source, *_, message),) = server.commands
        assert (name, message) == ("EVAL", "message")
        assert "LPUSH" in source
        assert "LREM" in source

    run_in_virtual_time(scenario())


async def test_a_message_that_is_given_back_twice_is_in_its_queue_once(redis: RedisClient) -> None:
    taken = TakenMessages()
    taken.begin(["llm"])
    taken.connect(cast("LoopThread", None), redis)
    await redis.execute("DEL", "llm", taken.key)
    taken.add("llm", b"message")
    await redis.execute("LPUSH", taken.key, b"message")
    taken.give_back()
    for _ in range(2):
        worker_heartbeats.give_back_message(redis, taken.worker, "llm", b"message")
    assert await redis.execute("LRANGE", "llm", 0, -1) == [b"message"]
    assert await redis.execute("LLEN", taken.key) == 0


def taken_messages() -> TakenMessages:
    taken = TakenMessages()
    taken.begin(["llm"])
    taken.connect(cast("LoopThread", None), MemoryRedis().redis())  # nothing is called from a thread
    return taken

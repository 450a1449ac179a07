"""Heartbeats of a worker process: many while it has messages in hand, few while it has none."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from dispatcher.pipeline.loop_thread import LoopThread
from dispatcher.redis_client.client import RedisClient
from dispatcher.turn_store import worker_heartbeats
from tests.support.virtual_time import run_in_virtual_time
from tests.unit.memory_redis import MemoryRedis
from workers.celery_ext.taken import TakenMessages

WATCHED_S = 60


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


def taken_messages() -> TakenMessages:
    taken = TakenMessages()
    taken.begin(["llm"])
    taken.connect(cast("LoopThread", None), MemoryRedis().redis())  # nothing is called from a thread
    return taken

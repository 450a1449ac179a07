"""Loads of the services as a front keeps them."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from dispatcher.errors import StateError
from dispatcher.front.connection import service_loads
from dispatcher.front.connection.service_loads import WAY_TOLERANCE_S, ServiceLoads
from dispatcher.messages import Service
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.rules.prediction import ServiceLoad
from tests.support.fleet import catalogue_of
from tests.unit.memory_redis import MemoryRedis

CATALOGUE = catalogue_of("round_robin", [])
LOADS: dict[Service, ServiceLoad] = {"llm": ServiceLoad(slots=1, in_flight=1, hold_s=2.0, first_s=0.5)}


async def test_turns_count_until_the_next_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = ServiceLoads()

    async def read(_: RedisClient, **__: object) -> dict[Service, ServiceLoad]:
        loads.note_turn(typed=False)  # while the answer is on its way
        return LOADS

    monkeypatch.setattr(service_loads, "read_loads", read)
    loads.note_turn(typed=False)
    await loads.refresh(MemoryRedis().redis(), CATALOGUE)
    assert loads.predicted_s("llm") == pytest.approx(2 * 2.0 + 0.5)
    loads.note_turn(typed=True)
    assert loads.predicted_s("llm") == pytest.approx(3 * 2.0 + 0.5)
    assert loads.predicted_s("llm", begun_s=1.0) == pytest.approx(3 * 2.0 - 0.5)


async def test_a_turn_does_not_wait_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(_: RedisClient, **__: object) -> dict[Service, ServiceLoad]:
        return {"llm": replace(LOADS["llm"], workers=1)}

    monkeypatch.setattr(service_loads, "read_loads", read)
    loads = ServiceLoads()
    await loads.refresh(MemoryRedis().redis(), CATALOGUE)
    turn = loads.note_turn(typed=False)
    assert (loads.line_s("llm"), loads.line_s("llm", turn=turn)) == (2.0, 0.0)
    assert loads.predicted_s("llm", turn=turn) == pytest.approx(2.0 + 0.5)
    loads.note_turn(typed=False)
    assert loads.line_s("llm", turn=turn) == 2.0
    # From the next reading on it is none of those that were sent since.
    await loads.refresh(MemoryRedis().redis(), CATALOGUE)
    loads.note_turn(typed=False)
    assert loads.line_s("llm", turn=turn) == 2.0


async def test_without_redis_nothing_is_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: RedisClient, **__: object) -> dict[Service, ServiceLoad]:
        raise StateError("away")

    monkeypatch.setattr(service_loads, "read_loads", fail)
    loads = ServiceLoads()
    loads.current = LOADS
    await loads.refresh(MemoryRedis().redis(), CATALOGUE)
    assert loads.predicted_s("llm") == 0.0


async def test_a_queue_without_a_worker_is_known_for_as_long_as_it_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s, workers = 100.0, 0

    async def read(_: RedisClient, **__: object) -> dict[Service, ServiceLoad]:
        return {"asr": ServiceLoad(workers=1), "llm": ServiceLoad(workers=workers)}

    monkeypatch.setattr(service_loads, "read_loads", read)
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    loads, redis = ServiceLoads(), MemoryRedis().redis()
    for _ in range(2):
        await loads.refresh(redis, CATALOGUE)
        now_s += 3.0
    assert loads.unserved_s == {"llm": 6.0}
    workers = 1
    await loads.refresh(redis, CATALOGUE)
    assert loads.unserved_s == {}


async def test_a_task_gets_older_after_the_reading_and_an_empty_queue_has_no_age(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def read(_: RedisClient, **__: object) -> dict[Service, ServiceLoad]:
        return {"llm": ServiceLoad(slots=1, in_flight=1, queued=1, queued_s=9.5), "tts": ServiceLoad(slots=1)}

    now_s = 100.0
    monkeypatch.setattr(service_loads, "read_loads", read)
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    loads = ServiceLoads()
    await loads.refresh(MemoryRedis().redis(), CATALOGUE)
    now_s += 1.0
    assert loads.queued_s == {"llm": 9.5 + 1.0 + WAY_TOLERANCE_S, "tts": 0.0}

"""The tuner at work on a Redis: a step, what it does when an action is refused, and undo by hand."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

import pytest

from dispatcher.catalogue.model import Catalogue, TunerRules
from dispatcher.control import tuner_store
from dispatcher.control.overrides import RuntimeOverrides, read_overrides, set_override
from dispatcher.control.rules.evidence import Measures, Sample, WorkerEvidence
from dispatcher.control.rules.tuner_state import TunerState
from dispatcher.control.tuner import Tuner
from dispatcher.redis_client.client import RedisClient
from tests.support.fleet import catalogue_of, llm
from tests.unit.control.loops import Workers

CATALOGUE: Final = catalogue_of("round_robin", [llm("a")])
FULL: Final = Measures(errors=0.0, memory=0.99, response=100.0, cpu=0.1)


def tuner_of(redis: RedisClient, workers: Workers, mode: str = "act") -> Tuner:
    rules = TunerRules(mode=mode)  # type: ignore[arg-type]
    catalogue: Catalogue = replace(CATALOGUE, tuner=rules)
    return Tuner(redis=redis, workers=workers, catalogue=lambda: catalogue)


async def remember_full_memory(redis: RedisClient) -> None:
    """Let the tuner have seen three samples of a host that is full."""
    now_s = time.time()
    history = tuple(Sample(at_s=now_s - age_s, measures=FULL) for age_s in (120, 60, 1))
    await tuner_store.save(redis, TunerState(history=history))


@pytest.fixture
def heavy() -> tuple[WorkerEvidence, ...]:
    return tuple(
        WorkerEvidence(name=name, queue="llm", pool=4, memory_bytes=size)
        for name, size in (("llm_a", 900), ("llm_b", 90))
    )


async def logged(redis: RedisClient) -> list[tuple[str, str]]:
    return [(row.first.event, row.latest.event) for row in await tuner_store.read_log(redis)]


async def test_one_tuner_works_at_a_time(redis: RedisClient) -> None:
    async with tuner_store.try_hold(redis) as is_held:
        assert is_held
        await tuner_of(redis, Workers()).step(())
    assert await tuner_store.load(redis) == TunerState()


async def test_a_tuner_without_a_state_sets_back_what_an_earlier_one_left(redis: RedisClient) -> None:
    await set_override(redis, "max_devices", 7)
    await tuner_of(redis, Workers(), "off").step(())
    assert await read_overrides(redis) == RuntimeOverrides()
    assert len((await tuner_store.load(redis)).history) == 1


async def test_requests_of_operators_are_taken_once(redis: RedisClient) -> None:
    await tuner_store.request_undo(redis, 3)
    tuner = tuner_of(redis, Workers())
    await tuner._undo_requested()
    assert not await tuner_store.count_requests(redis)


async def test_in_observe_mode_nothing_is_done(redis: RedisClient, heavy: tuple[WorkerEvidence, ...]) -> None:
    await remember_full_memory(redis)
    workers = Workers(llm_a=4, llm_b=4)
    await tuner_of(redis, workers, "observe").step(heavy)
    assert workers.stopped == []
    assert await read_overrides(redis) == RuntimeOverrides()

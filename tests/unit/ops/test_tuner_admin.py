"""The tuner for an operator: what it shows, and undo, which waits until the tuner has done it."""

from __future__ import annotations

import asyncio

import pytest
from rich.text import Text

from dispatcher.control import tuner_store
from dispatcher.control.rules.actions import Action, Change
from dispatcher.control.rules.evidence import Measures
from dispatcher.control.rules.experiment import TunerExperiment
from dispatcher.control.rules.tuner_state import TunerState
from dispatcher.errors import UnknownName
from dispatcher.ops import tuner_admin
from dispatcher.redis_client.client import RedisClient
from tests.support.waiting import soon

ACTION = Action(kind="cap", target="llm/a", changes=(Change(what="llm/a", before=None, after=4),))
KEPT = TunerExperiment(
    number=7, begun_at_s=1.0, cause="errors", action=ACTION, why="it fails", before=Measures(errors=0.5)
)


async def test_an_experiment_that_nobody_made_cannot_be_undone(redis: RedisClient) -> None:
    with pytest.raises(UnknownName, match="experiment 7 is not in force"):
        await tuner_admin.undo(redis, 7)
    assert not await tuner_store.count_requests(redis)


async def test_undo_waits_for_the_tuner(redis: RedisClient) -> None:
    await tuner_store.save(redis, TunerState(kept=(KEPT,)))
    waiting = asyncio.create_task(tuner_admin.undo(redis, 7))
    await soon(lambda: tuner_store.count_requests(redis), what="the request")
    assert await tuner_store.take_requests(redis) == [7]
    await tuner_store.save(redis, TunerState())
    await asyncio.wait_for(waiting, 10)


async def test_a_tuner_that_does_not_run_is_told_of(redis: RedisClient) -> None:
    await tuner_store.save(redis, TunerState(kept=(KEPT,)))
    with pytest.raises(UnknownName, match="still in force after 0 s; does a worker of queue control run"):
        await tuner_admin.undo(redis, 7, timeout_s=0.01)


async def test_the_status_and_an_empty_log_are_words(redis: RedisClient) -> None:
    await tuner_store.save(redis, TunerState(kept=(KEPT,)))
    assert any("7: cap llm/a" in line for line in await tuner_admin.read_status(redis))
    shown = await tuner_admin.read_log(redis, last=20)
    assert isinstance(shown, Text)
    assert shown.plain == "the tuner has decided nothing yet"

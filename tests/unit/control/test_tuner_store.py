"""The tuner's state in Redis: kept as it is, taken over from an earlier version, or begun anew."""

from __future__ import annotations

import json

import pytest

from dispatcher.control import overrides, tuner_store
from dispatcher.control.overrides import RuntimeOverrides, read_overrides
from dispatcher.control.rules.actions import Action, Change
from dispatcher.control.rules.evidence import Measures, Sample
from dispatcher.control.rules.experiment import TunerExperiment
from dispatcher.control.rules.tuner_state import CoolDown, Relapse, TunerState
from dispatcher.control.rules.tuner_step import TunerTick
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from tests.support.fleet import Fleet, llm

ACTION = Action(kind="cap", target="llm/a", changes=(Change(what="llm/a", before=None, after=4),))
PENDING = TunerExperiment(
    number=7, begun_at_s=1.0, cause="errors", action=ACTION, why="it fails", before=Measures(errors=0.5)
)
STATE = TunerState(
    history=(Sample(at_s=1.0, measures=Measures(cpu=0.5)),),
    pending=PENDING,
    cool_downs=(CoolDown(key="cap llm/a", until_s=9.0),),
    relapses=(Relapse(key="cap llm/a", times=2, at_s=3.0),),
    next_number=8,
    missing=(("records", "none"),),
)


async def test_what_the_tuner_remembers_comes_back_as_it_was(redis: RedisClient) -> None:
    assert await tuner_store.load(redis) == TunerState()
    await tuner_store.save(redis, STATE)
    assert await tuner_store.load(redis) == STATE


async def test_a_state_of_0_1_keeps_its_cool_downs_and_relapses_under_their_names_of_today(
    redis: RedisClient,
) -> None:
    await tuner_store.save(redis, STATE)
    fields = json.loads(await redis.execute("GET", keys.TUNER_STATE))
    fields["rests"], fields["setbacks"] = fields.pop("cool_downs"), fields.pop("relapses")
    await redis.execute("SET", keys.TUNER_STATE, json.dumps(fields))
    assert await tuner_store.load(redis) == STATE


async def test_a_state_that_cannot_be_read_begins_anew(redis: RedisClient) -> None:
    for written in ("nonsense", '{"number": "seven"}', "[]"):
        await redis.execute("SET", keys.TUNER_STATE, written)
        assert await tuner_store.load(redis) == TunerState()


async def test_a_tuner_that_remembers_nothing_leaves_nothing_set(redis: RedisClient) -> None:
    known = Fleet(redis)
    await known.configure("round_robin", llm("a", cap=8), llm("b", cap=8))
    before = await known.fields("a")
    for field, value in (("cap_limit", "1"), ("priority_override", "low")):
        await instance_table.set_field(redis, "llm", "a", field=field, value=value)
    await overrides.set_override(redis, "max_devices", 5)
    await overrides.set_override(redis, overrides.extra_workers_name("tts"), 1)
    await overrides.set_override(redis, "tuner_mode", "act")

    await tuner_store.revert_all(redis)

    assert await known.fields("a") == before
    assert await read_overrides(redis) == RuntimeOverrides(tuner_mode="act")


async def test_decisions_are_joined_to_experiments_in_the_log_and_in_the_records(redis: RedisClient) -> None:
    state, (undone,) = TunerTick(now_s=100.0).undo(STATE, 7)
    await tuner_store.log_decision(redis, undone)
    (row,) = await tuner_store.read_log(redis)
    assert row.first == row.latest == undone
    await redis.execute("XADD", keys.TUNER, "*", "decision", "nonsense")
    assert len(await tuner_store.read_log(redis)) == 1
    assert int(await redis.execute("XLEN", keys.RECORDS)) == 1
    assert state.find(7) is None


async def test_one_tuner_works_at_a_time(redis: RedisClient) -> None:
    async with tuner_store.try_hold(redis) as first, tuner_store.try_hold(redis) as second:
        assert (first, second) == (True, False)
    async with tuner_store.try_hold(redis) as again:
        assert again


@pytest.mark.parametrize("numbers", [(3,), (3, 4)])
async def test_requests_are_heard_once(redis: RedisClient, numbers: tuple[int, ...]) -> None:
    assert not await tuner_store.count_requests(redis)
    for number in numbers:
        await tuner_store.request_undo(redis, number)
    assert await tuner_store.count_requests(redis)
    assert await tuner_store.take_requests(redis) == list(numbers)
    assert await tuner_store.take_requests(redis) == []

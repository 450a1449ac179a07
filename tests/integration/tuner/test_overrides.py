"""Runtime overrides hold within a second where they are set for, and nonsense in one counts as not set."""

from __future__ import annotations

import aiohttp
import pytest

from dispatcher.control import overrides, tuner_store
from dispatcher.control.overrides import RuntimeOverrides, read_overrides
from dispatcher.control.rules.actions import Action, Change
from dispatcher.control.rules.evidence import Measures, Sample
from dispatcher.control.rules.experiment import TunerExperiment
from dispatcher.control.rules.tuner_state import CoolDown, Relapse, TunerState
from dispatcher.control.rules.tuner_step import TunerTick
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing import instance_table
from tests.support.fleet import Fleet, llm
from tests.support.stack import Stack
from tests.support.waiting import soon

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


async def test_a_front_lets_fewer_devices_in_as_soon_as_it_is_told(stack: Stack) -> None:
    redis = RedisClient(connect(stack.broker.url))
    async with stack.another_front() as front, front.device("first"), aiohttp.ClientSession() as session:

        async def is_refused() -> bool:
            try:
                async with session.ws_connect(front.socket_url, headers={"Device-Id": "second"}):
                    return False
            except aiohttp.WSServerHandshakeError as error:
                return error.status == 503

        assert not await is_refused()
        await overrides.set_override(redis, "max_devices", 1)
        await soon(is_refused, what="the second device is sent away")
        await overrides.set_override(redis, "max_devices", None)

        async def is_let_in() -> bool:
            return not await is_refused()

        await soon(is_let_in, what="the second device is let in again")
    await redis.close()


async def test_overrides_that_make_no_sense_count_as_not_set(redis: RedisClient) -> None:
    assert await read_overrides(redis) == RuntimeOverrides()
    await redis.execute(
        "HSET", keys.OVERRIDES, "max_devices", "many", "reply_kept_s", "-1", "tuner_mode", "wild"
    )
    assert await read_overrides(redis) == RuntimeOverrides()
    await overrides.set_override(redis, "max_devices", 0.5)
    await overrides.set_override(redis, "reply_kept_s", 1.5)
    await overrides.set_override(redis, "tuner_mode", "act")
    await overrides.set_override(redis, overrides.extra_workers_name("tts"), 2)
    assert await read_overrides(redis) == RuntimeOverrides(
        max_devices=1, reply_kept_s=1.5, extra_workers={"tts": 2}, tuner_mode="act"
    )


async def test_a_field_is_set_on_instances_that_are_known_only(redis: RedisClient) -> None:
    known = Fleet(redis)
    await known.configure("round_robin", llm("a", cap=8))
    assert await instance_table.set_field(redis, "llm", "a", field="cap_limit", value="1")
    await known.hold(1)
    assert (await known.try_pick()).full  # type: ignore[union-attr]
    assert await instance_table.set_field(redis, "llm", "a", field="cap_limit", value="")
    assert "cap_limit" not in await known.fields("a")
    assert not await instance_table.set_field(redis, "llm", "gone", field="cap_limit", value="1")
    assert not await redis.execute("EXISTS", keys.instance("llm", "gone"))


async def test_what_the_tuner_remembers_comes_back_as_it_was(redis: RedisClient) -> None:
    assert await tuner_store.load(redis) == TunerState()
    await tuner_store.save(redis, STATE)
    assert await tuner_store.load(redis) == STATE
    await redis.execute("SET", keys.TUNER_STATE, '{"history": "of another version"}')
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
    assert not await tuner_store.has_requests(redis)
    for number in numbers:
        await tuner_store.request_undo(redis, number)
    assert await tuner_store.has_requests(redis)
    assert await tuner_store.take_requests(redis) == list(numbers)
    assert await tuner_store.take_requests(redis) == []

"""The tuner's state in Redis: kept as it is, taken over from an earlier version, or begun anew."""

from __future__ import annotations

import json
from typing import Final

from dispatcher.control import tuner_store
from dispatcher.control.rules.evidence import Measures, Sample
from dispatcher.control.rules.tuner_state import TunerState
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient

STATE: Final = TunerState(
    history=(Sample(at_s=1.0, measures=Measures(errors=0.0, memory=0.5, response=None, cpu=0.1)),),
)


async def test_a_state_is_read_as_it_was_saved(redis: RedisClient) -> None:
    await tuner_store.save(redis, STATE)
    assert await tuner_store.load(redis) == STATE


async def test_a_state_of_0_1_keeps_its_cool_downs_and_relapses_under_their_names_of_today(
    redis: RedisClient,
) -> None:
    state = STATE.with_cool_down("cap llm/a", until_s=60.0).with_relapse("cap llm/a", 5.0)
    await tuner_store.save(redis, state)
    fields = json.loads(await redis.execute("GET", keys.TUNER_STATE))
    fields["rests"], fields["setbacks"] = fields.pop("cool_downs"), fields.pop("relapses")
    await redis.execute("SET", keys.TUNER_STATE, json.dumps(fields))
    assert await tuner_store.load(redis) == state


async def test_a_state_that_cannot_be_read_begins_anew(redis: RedisClient) -> None:
    for written in ("nonsense", '{"number": "seven"}', "[]"):
        await redis.execute("SET", keys.TUNER_STATE, written)
        assert await tuner_store.load(redis) == TunerState()

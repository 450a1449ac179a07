"""The decisions of a turn, read back from a real Valkey after real picks."""

from __future__ import annotations

import pytest

from dispatcher.errors import UnknownName
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import decisions
from dispatcher.routing.decisions import CHUNK, End
from dispatcher.routing.leases import Slot
from tests.support.fleet import Fleet, llm

TURN = "5f0c1d2e3b4a"


async def pick(fleet: Fleet, turn_id: str = TURN) -> Slot:
    slot = await fleet.try_pick(turn_id=turn_id)
    assert isinstance(slot, Slot), slot
    return slot


async def test_a_call_that_ended_is_told_with_its_candidates_reason_and_outcome(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("least_connections", llm("A", cap=2), llm("B"))
    await fleet.call_ends("B", "failed", times=3)
    slot = await pick(fleet)
    await fleet.finish(slot, "ok", latency_ms=321.5)
    (decision,) = await decisions.of_turn(redis, TURN)
    assert (decision.turn_id, decision.service, decision.instance) == (TURN, "llm", "A")
    assert decision.lease_id == slot.lease_id
    assert decision.candidates == ("A 0/2", "B ejected")
    assert decision.reason == slot.reason
    assert decision.end == End(outcome="ok", latency_ms=321.5)
    assert not decision.held


async def test_one_that_stands_by_is_told_as_such(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B", priority="standby"))
    await fleet.finish(await pick(fleet), "failed")
    slot = await fleet.try_pick(turn_id=TURN, excluded=["A"])
    assert isinstance(slot, Slot)
    found = await decisions.of_turn(redis, TURN)
    assert [each.candidates for each in found] == [
        ("A 0/10", "B stands by"),
        ("A failed this call", "B 0/10"),
    ]


async def test_calls_of_a_turn_come_oldest_first_and_those_of_others_stay_out(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    mine = [await pick(fleet), await pick(fleet)]
    await pick(fleet, "another-turn")
    await fleet.finish(mine[0], "failed", latency_ms=5)
    await fleet.finish(mine[1], "ok", latency_ms=50)
    found = await decisions.of_turn(redis, TURN)
    assert [(decision.instance, decision.end and decision.end.outcome) for decision in found] == [
        ("A", "failed"),
        ("B", "ok"),
    ]
    assert found[0].at_ms <= found[1].at_ms


async def test_a_call_under_way_has_no_end_and_its_lease(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    await pick(fleet)
    (decision,) = await decisions.of_turn(redis, TURN)
    assert (decision.end, decision.held) == (None, True)


async def test_a_call_whose_worker_died_has_neither_end_nor_lease(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    await pick(fleet)
    await fleet.time_passes(10, "A")
    (decision,) = await decisions.of_turn(redis, TURN)
    assert (decision.end, decision.held) == (None, False)


async def test_the_first_six_characters_name_a_turn(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    await pick(fleet)
    assert len(await decisions.of_turn(redis, TURN[:6])) == 1
    with pytest.raises(UnknownName, match="at least 6"):
        await decisions.of_turn(redis, TURN[:5])


async def test_a_beginning_of_several_turns_is_refused_unless_it_is_one_of_them(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"))
    for turn_id in ("abcdef", "abcdef99", "abcdef98"):
        await pick(fleet, turn_id)
    with pytest.raises(UnknownName, match="abcdef98, abcdef99"):
        await decisions.of_turn(redis, "abcdef9")
    assert [decision.turn_id for decision in await decisions.of_turn(redis, "abcdef")] == ["abcdef"]


async def test_an_unknown_turn_is_said_to_be_unknown(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    await pick(fleet)
    with pytest.raises(UnknownName, match="no call of turn 999999 among the 1 "):
        await decisions.of_turn(redis, "999999")


async def test_a_turn_is_found_behind_more_entries_than_one_chunk(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    slot = await pick(fleet)
    await fleet.finish(slot, "ok", latency_ms=7)
    await fleet.call_ends("A", "ok", times=2 * CHUNK)
    (decision,) = await decisions.of_turn(redis, TURN)
    assert decision.end == End(outcome="ok", latency_ms=7)

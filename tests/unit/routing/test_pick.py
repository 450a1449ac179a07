"""Which instance the pick script chooses, in a real Valkey."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest

from dispatcher.errors import TurnCancelled
from dispatcher.messages import Algorithm
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import leases
from dispatcher.routing.leases import NoSlot, Slot
from dispatcher.turn_store import utterance_audio
from tests.support.fleet import TURN, Fleet, llm

ALGORITHMS = get_args(Algorithm)


async def test_weights_of_4_to_1_are_kept_in_every_cycle_and_spread_within_it(fleet: Fleet) -> None:
    await fleet.configure("weighted_round_robin", llm("A", weight=4), llm("B", weight=1))
    assert await fleet.pick_in_turn(15) == "AABAA" * 3


async def test_weights_of_4_2_1_are_kept_in_every_cycle(fleet: Fleet) -> None:
    await fleet.configure("weighted_round_robin", llm("A", weight=4), llm("B", weight=2), llm("C", weight=1))
    cycles = [await fleet.pick_in_turn(7) for _ in range(4)]
    assert [Counter(cycle) for cycle in cycles] == [Counter("AAAABBC")] * 4
    assert not any("AAA" in cycle for cycle in cycles)


async def test_fractional_weights_keep_their_shares(fleet: Fleet) -> None:
    await fleet.configure("weighted_round_robin", llm("A", weight=0.75), llm("B", weight=0.25))
    assert Counter(await fleet.pick_in_turn(400)) == Counter(A=300, B=100)


async def test_round_robin_takes_turns_whatever_the_weights(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", weight=9), llm("B"), llm("C"))
    assert await fleet.pick_in_turn(9) == "ABC" * 3


async def test_least_connections_fills_by_cap_times_weight(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A", weight=2, cap=10), llm("B", weight=1, cap=5))
    # 10 × 2 against 5 × 1: four of five.
    assert await fleet.hold(10) == Counter(A=8, B=2)


async def test_least_connections_shares_ties_among_equals(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A"), llm("B"), llm("C"))
    assert set(await fleet.pick_in_turn(100)) == {"A", "B", "C"}


async def test_response_time_prefers_the_quicker_instance(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A"), llm("B"))
    await fleet.call_ends("A", "ok", latency_ms=900)
    await fleet.call_ends("B", "ok", latency_ms=300)
    assert await fleet.pick_in_turn(3) == "BBB"


async def test_response_time_fills_in_inverse_proportion_to_the_latency(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A"), llm("B"))
    await fleet.call_ends("A", "ok", latency_ms=900)
    await fleet.call_ends("B", "ok", latency_ms=290)
    assert await fleet.hold(8) == Counter(A=2, B=6)


async def test_response_time_avoids_an_instance_that_fails_quickly(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A"), llm("B"))
    await fleet.call_ends("A", "ok", latency_ms=100)
    await fleet.call_ends("B", "ok", latency_ms=150)
    await fleet.call_ends("A", "failed", times=2, latency_ms=1)
    assert await fleet.pick_in_turn(3) == "BBB"


async def test_response_time_tries_an_unseen_instance_as_if_it_were_of_the_middle(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A"), llm("B"), llm("new"))
    await fleet.call_ends("A", "ok", latency_ms=300)
    await fleet.call_ends("B", "ok", latency_ms=900)
    assert "new" in await fleet.hold(3)


async def test_response_time_gives_a_once_slow_instance_another_chance(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A"), llm("B"))
    await fleet.call_ends("A", "ok", latency_ms=300)
    await fleet.call_ends("B", "ok", latency_ms=9000)
    assert "B" not in await fleet.pick_in_turn(5)
    await fleet.time_passes(120, "B")
    assert "B" in await fleet.pick_in_turn(5)


async def test_resource_based_prefers_the_less_loaded_machine(fleet: Fleet) -> None:
    await fleet.configure("resource_based", llm("A"), llm("B"))
    await fleet.set_fields("A", cpu=0.9, memory=0.5)
    await fleet.set_fields("B", cpu=0.2, memory=0.5)
    assert await fleet.pick_in_turn(3) == "BBB"


async def test_resource_based_leaves_out_what_an_instance_does_not_report(fleet: Fleet) -> None:
    await fleet.configure("resource_based", llm("A"), llm("silent"))
    # Counted as zero, the missing terms would make the silent one look idle: 0.04 against 0.08.
    await fleet.set_fields("A", cpu=0.05, memory=0.05)
    await fleet.call_ends("A", "ok", latency_ms=100)
    await fleet.call_ends("silent", "ok", latency_ms=600)
    assert await fleet.pick_in_turn(3) == "AAA"


async def test_resource_based_counts_the_calls_in_flight(fleet: Fleet) -> None:
    await fleet.configure("resource_based", llm("A"), llm("B"))
    assert await fleet.hold(10) == Counter(A=5, B=5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_high_priority_comes_first_and_low_only_when_it_is_full(
    fleet: Fleet, algorithm: Algorithm
) -> None:
    local, remote = llm("local", cap=3, priority="high"), llm("remote", cap=2, weight=9, priority="low")
    await fleet.configure(algorithm, remote, local)
    assert [(await fleet.pick()).name for _ in range(5)] == ["local"] * 3 + ["remote"] * 2
    assert await fleet.try_pick() == NoSlot(full=True)


async def test_low_priority_is_used_when_the_high_one_is_ejected_or_failed_this_call(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("local", priority="high"), llm("remote", priority="low"))
    assert (await fleet.pick(excluded=["local"])).name == "remote"
    await fleet.call_ends("local", "failed", times=3)
    assert (await fleet.pick()).name == "remote"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_one_that_stands_by_has_nothing_while_another_is_in_service_however_full(
    fleet: Fleet, algorithm: Algorithm
) -> None:
    await fleet.configure(algorithm, llm("spare", weight=9, priority="standby"), llm("own", cap=3))
    assert await fleet.hold(3) == Counter(own=3)
    assert await fleet.try_pick() == NoSlot(full=True)
    assert await fleet.in_flight("spare") == 0


async def test_one_that_stands_by_steps_in_for_the_failed_the_drained_and_the_ejected(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("own"), llm("spare", priority="standby"))
    assert (await fleet.pick(excluded=["own"])).name == "spare"
    await fleet.set_fields("own", draining=1)
    assert (await fleet.pick()).name == "spare"
    await fleet.set_fields("own", draining=0)
    assert (await fleet.pick()).name == "own"
    await fleet.call_ends("own", "failed", times=3)
    assert (await fleet.pick()).name == "spare"


async def test_while_one_that_comes_back_is_probed_the_others_go_to_the_one_that_stands_by(
    fleet: Fleet,
) -> None:
    await fleet.configure("response_time", llm("own"), llm("spare", priority="standby"))
    await fleet.set_fields("own", ejected_until_ms=1)
    assert [(await fleet.pick()).name for _ in range(3)] == ["own", "spare", "spare"]


async def test_one_that_stands_by_takes_a_call_for_relief_once_the_others_are_full(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("own", cap=1), llm("spare", priority="standby"))
    relieved = [await leases.pick(fleet.redis, "llm", turn_id=TURN, mode="relief") for _ in range(2)]
    assert [getattr(slot, "name", None) for slot in relieved] == ["own", "spare"]
    assert await fleet.try_pick() == NoSlot(full=True)


async def test_where_all_stand_by_they_share_the_calls(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", priority="standby"), llm("B", priority="standby"))
    assert await fleet.pick_in_turn(4) in {"ABAB", "BABA"}


async def test_a_draining_instance_gets_nothing_even_when_it_is_the_last(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"))
    await fleet.set_fields("A", draining=1)
    assert await fleet.try_pick() == NoSlot(full=False)


async def test_nothing_configured_or_all_excluded_is_none_and_not_full(fleet: Fleet) -> None:
    await fleet.configure("round_robin")
    assert await fleet.try_pick() == NoSlot(full=False)
    await fleet.configure("round_robin", llm("A"), llm("B"))
    assert await fleet.try_pick(excluded=["A", "B"]) == NoSlot(full=False)


async def test_a_cancelled_turn_gets_nothing_and_others_still_do(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    utterance_audio.cancel(redis, TURN)
    with pytest.raises(TurnCancelled):
        await fleet.try_pick(turn_id=TURN)
    assert await fleet.in_flight("A") == 0
    assert isinstance(await fleet.try_pick(turn_id="another-turn"), Slot)


async def test_a_pick_says_why(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A", priority="high"), llm("B", priority="low"))
    slot = await fleet.pick()
    assert slot.in_flight == 1
    assert slot.reason.startswith("least_connections: high priority, load A ")


async def test_picks_go_on_after_the_server_forgot_its_scripts(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    first = await fleet.pick()
    await redis.execute("SCRIPT", "FLUSH")
    second = await fleet.pick()
    await redis.execute("SCRIPT", "FLUSH")
    assert await fleet.finish(first, "ok") == ""
    assert {first.name, second.name} == {"A", "B"}
    assert await fleet.in_flight(first.name) == 0

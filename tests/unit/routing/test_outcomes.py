"""What the outcome of calls and of health checks does to an instance, in a real Valkey."""

from __future__ import annotations

from collections import Counter

import pytest

from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.leases import NoSlot
from tests.support.fleet import Fleet, llm


async def seconds_out(fleet: Fleet, name: str, redis: RedisClient) -> float:
    """Return for how long an instance is still ejected."""
    now_s, now_us = await redis.execute("TIME")
    now = int(now_s) + int(now_us) / 1_000_000
    return float((await fleet.fields(name))["ejected_until_ms"]) / 1000 - now


async def test_three_failures_in_a_row_eject(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    assert await fleet.call_ends("A", "failed", times=3) == ["", "", "ejected"]
    assert await fleet.pick_in_turn(4) == "BBBB"


async def test_a_success_between_failures_starts_the_count_again(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await fleet.call_ends("A", "ok", times=5)  # or it would go by its error ratio
    await fleet.call_ends("A", "failed", times=2)
    await fleet.call_ends("A", "ok")
    assert await fleet.call_ends("A", "failed", times=2) == ["", ""]
    assert set(await fleet.pick_in_turn(4)) == {"A", "B"}


async def test_an_ignored_outcome_teaches_nothing(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"))
    before = await fleet.fields("A")
    slot = await fleet.pick()
    during = await fleet.fields("A")
    await fleet.finish(slot, "ignored", latency_ms=9000)
    after = await fleet.fields("A")
    assert {**after, "calls": "1"} == {**during, "calls": "1"}  # that it was made is all that is counted
    assert set(during) - set(before) <= {"current"}
    assert await fleet.in_flight("A") == 0


async def test_an_outcome_gives_the_slot_back_only_once(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"))
    first, second = await fleet.pick(), await fleet.pick()
    await fleet.finish(first, "ok")
    await fleet.finish(first, "ok")
    assert await fleet.in_flight("A") == 1
    await fleet.finish(second, "failed")
    assert await fleet.in_flight("A") == 0


async def test_a_slower_call_counts_at_once_and_a_faster_one_by_and_by(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A"))
    await fleet.call_ends("A", "ok", latency_ms=100)
    await fleet.call_ends("A", "ok", latency_ms=800)
    assert float((await fleet.fields("A"))["latency_ewma_ms"]) == pytest.approx(800, rel=0.01)
    await fleet.call_ends("A", "ok", latency_ms=100)
    assert float((await fleet.fields("A"))["latency_ewma_ms"]) > 700
    await fleet.time_passes(60, "A")
    await fleet.call_ends("A", "ok", latency_ms=100)
    assert float((await fleet.fields("A"))["latency_ewma_ms"]) == pytest.approx(100, rel=0.05)


async def test_a_failure_does_not_make_an_instance_look_quick(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A"))
    await fleet.call_ends("A", "ok", latency_ms=500)
    await fleet.call_ends("A", "failed", latency_ms=1)
    fields = await fleet.fields("A")
    assert float(fields["latency_ewma_ms"]) == pytest.approx(500, rel=0.01)
    assert float(fields["error_ratio"]) > 0.05


async def test_each_ejection_lasts_longer_than_the_one_before(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await fleet.call_ends("A", "failed", times=3)
    lengths = [await seconds_out(fleet, "A", redis)]
    for _ in range(3):
        await fleet.time_passes(lengths[-1] + 2, "A")
        assert await fleet.call_ends("A", "failed") == ["ejected"]
        lengths.append(await seconds_out(fleet, "A", redis))
    assert lengths == pytest.approx([5, 10, 20, 40], abs=1.5)


async def test_failures_of_calls_that_began_before_the_ejection_do_not_lengthen_it(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await fleet.call_ends("A", "failed", times=3)
    assert await fleet.call_ends("A", "failed", times=5) == [""] * 5
    assert await seconds_out(fleet, "A", redis) <= 5


async def test_an_instance_that_comes_back_is_probed_by_one_call_at_a_time(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", priority="high"), llm("B"))
    await fleet.call_ends("A", "failed", times=3)
    assert await fleet.hold(2) == Counter(B=2)
    await fleet.time_passes(10, "A")
    assert await fleet.hold(4) == Counter(A=1, B=3)


async def test_a_probe_that_succeeds_brings_the_instance_back(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", priority="high"), llm("B"))
    await fleet.call_ends("A", "failed", times=3)
    await fleet.time_passes(10, "A")
    probe = await fleet.pick()
    assert (probe.name, await fleet.finish(probe, "ok")) == ("A", "recovered")
    assert await fleet.hold(3) == Counter(A=3)


async def test_a_probe_that_was_spoken_over_leaves_the_instance_to_the_next_probe(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", priority="high"), llm("B"))
    await fleet.call_ends("A", "failed", times=3)
    await fleet.time_passes(10, "A")
    await fleet.finish(await fleet.pick(), "ignored")
    assert await fleet.hold(2) == Counter(A=1, B=1)


async def test_a_recovered_instance_gets_its_share_by_slow_start(fleet: Fleet) -> None:
    await fleet.configure("weighted_round_robin", llm("A"), llm("B"))
    await fleet.call_ends("A", "failed", times=3)
    await fleet.time_passes(10, "A")
    await fleet.call_ends("A", "ok")
    at_first = Counter(await fleet.pick_in_turn(22))
    assert at_first["A"] <= 5
    await fleet.time_passes(10, "A")
    assert Counter(await fleet.pick_in_turn(22)) == Counter(A=11, B=11)


async def test_when_all_are_ejected_the_one_that_failed_least_is_tried(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await fleet.call_ends("A", "failed", times=6)
    await fleet.call_ends("B", "failed", times=3)
    slot = await fleet.pick()
    assert slot.name == "B"
    assert "panic" in slot.reason


async def test_panic_respects_the_cap(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", cap=2))
    await fleet.call_ends("A", "failed", times=3)
    assert await fleet.hold(2) == Counter(A=2)
    assert isinstance(await fleet.try_pick(), NoSlot)


async def test_an_instance_goes_down_by_checks_and_comes_back_by_checks(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    assert await fleet.check("A", False, False, True, False, False, False) == [""] * 5 + ["down"]
    assert await fleet.pick_in_turn(3) == "BBB"
    assert await fleet.check("A", True, False, True, True) == [""] * 3 + ["up"]
    assert "A" in await fleet.pick_in_turn(20)


async def test_an_instance_that_came_up_starts_slowly(fleet: Fleet) -> None:
    await fleet.configure("weighted_round_robin", llm("A"), llm("B"))
    await fleet.check("A", *[False] * 3, *[True] * 2)
    assert Counter(await fleet.pick_in_turn(22))["A"] <= 5


async def test_a_check_that_passes_again_lets_an_ejected_instance_be_probed_now(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", priority="high"), llm("B"))
    await fleet.call_ends("A", "failed", times=3)
    await fleet.check("A", False)
    assert (await fleet.pick()).name == "B"
    await fleet.check("A", True)
    assert (await fleet.pick()).name == "A"


async def test_checks_that_pass_while_calls_fail_cost_no_probe_each(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", priority="high"), llm("B"))
    await fleet.call_ends("A", "failed", times=3)
    failed_at_ms = float((await fleet.fields("A"))["failed_at_ms"])
    await fleet.set_fields("A", ejected_until_ms=failed_at_ms + 300_000)
    await fleet.check("A", True, True, True)
    assert (await fleet.pick()).name == "B"
    await fleet.time_passes(10, "A")
    await fleet.check("A", True)
    assert (await fleet.pick()).name == "B"
    await fleet.time_passes(6, "A")
    await fleet.check("A", True)
    assert (await fleet.pick()).name == "A"


async def test_what_was_learned_outlives_a_restart_and_what_is_configured_does_not(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A", weight=1, cap=1), llm("B"))
    await fleet.call_ends("A", "ok", latency_ms=700)
    await fleet.configure("response_time", llm("A", weight=3, cap=5), llm("B"))
    fields = await fleet.fields("A")
    assert (float(fields["weight"]), int(fields["cap"])) == (3, 5)
    assert float(fields["latency_ewma_ms"]) == pytest.approx(700)


async def test_an_instance_that_left_the_yaml_is_forgotten(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await fleet.configure("round_robin", llm("B"))
    assert await fleet.fields("A") == {}
    assert await fleet.pick_in_turn(3) == "BBB"
    # A call that lost its lease before ends without a trace.
    assert await fleet.call_ends("A", "failed") == [""]
    assert await fleet.fields("A") == {}


async def test_a_check_of_an_instance_that_left_the_yaml_leaves_no_trace(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("B"))
    assert await fleet.check("A", False, False, False) == [""] * 3
    assert await fleet.fields("A") == {}

"""Outlier detection beyond failures in a row: error ratio, Retry-After, slowness."""

from __future__ import annotations

from collections import Counter

from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import admin, leases
from dispatcher.routing.leases import NoSlot, Slot
from tests.support.fleet import TURN, Fleet, llm


async def outcomes(fleet: Fleet, name: str, letters: str) -> list[str]:
    """Let calls end, `+` well and `-` badly; return what each changed."""
    changed: list[str] = []
    for letter in letters:
        changed += await fleet.call_ends(name, "ok" if letter == "+" else "failed")
    return changed


async def asks_for_rest(fleet: Fleet, name: str, *, seconds: float) -> str:
    """Let a call fail with Retry-After; return what that changed."""
    slot = Slot(service="llm", name=name, lease_id="elsewhere", in_flight=1, reason="")
    return await leases.finish(
        fleet.redis, slot, outcome="failed", latency_ms=5, retry_after_ms=seconds * 1000
    )


async def looks(fleet: Fleet, caller: str) -> Slot | NoSlot:
    """Look for a slot as a call that would rather wait."""
    return await leases.pick(fleet.redis, "llm", turn_id=TURN, lease_id=caller)


async def one_is_slow(fleet: Fleet) -> None:
    """Let `slow` be known for ten times the time of `quick`, which has two slots."""
    await fleet.configure("response_time", llm("slow", cap=4), llm("quick", cap=2))
    await fleet.call_ends("slow", "ok", latency_ms=3000)
    await fleet.call_ends("quick", "ok", latency_ms=300)


async def test_half_of_the_last_calls_failing_ejects_without_three_in_a_row(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    assert await outcomes(fleet, "A", "++-+--") == [""] * 5 + ["ejected"]
    assert await fleet.pick_in_turn(3) == "BBB"


async def test_fewer_than_five_calls_are_no_ratio(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    assert await outcomes(fleet, "A", "-+--") == [""] * 4


async def test_fewer_failures_than_half_of_the_last_ten_calls_do_not_eject(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    assert set(await outcomes(fleet, "A", "+++-+-++-+" * 3)) == {""}


async def test_only_the_last_ten_calls_count(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await outcomes(fleet, "A", "+" * 50)
    assert await outcomes(fleet, "A", "-+-+-+--") == [""] * 7 + ["ejected"]


async def test_failures_of_long_ago_do_not_count(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await outcomes(fleet, "A", "+-+-")
    await fleet.time_passes(90, "A")
    assert await outcomes(fleet, "A", "-+") == ["", ""]


async def test_an_ejection_begins_the_window_anew(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await outcomes(fleet, "A", "+-+--")
    await fleet.time_passes(10, "A")
    assert await outcomes(fleet, "A", "+-+") == ["recovered", "", ""]


async def test_retry_after_ejects_at_once_and_for_as_long_as_asked(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    assert await asks_for_rest(fleet, "A", seconds=40) == "ejected"
    await fleet.time_passes(35, "A")
    assert await fleet.pick_in_turn(4) == "BBBB"
    await fleet.time_passes(6, "A")
    assert "A" in await fleet.pick_in_turn(4)


async def test_neither_a_check_nor_an_earlier_call_shortens_a_retry_after(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await asks_for_rest(fleet, "A", seconds=40)
    await fleet.check("A", True)
    assert await fleet.call_ends("A", "ok") == [""]
    assert await fleet.pick_in_turn(4) == "BBBB"


async def test_a_shorter_retry_after_does_not_end_a_longer_ejection(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await asks_for_rest(fleet, "A", seconds=60)
    assert await asks_for_rest(fleet, "A", seconds=1) == ""
    await fleet.time_passes(10, "A")
    assert await fleet.pick_in_turn(4) == "BBBB"


async def test_a_retry_after_of_a_day_is_five_minutes(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await asks_for_rest(fleet, "A", seconds=86_400)
    await fleet.time_passes(301, "A")
    assert "A" in await fleet.pick_in_turn(4)


async def test_a_call_rather_waits_for_a_quick_slot_than_be_the_second_on_a_slow_instance(
    fleet: Fleet,
) -> None:
    await one_is_slow(fleet)
    given = [await looks(fleet, f"call-{number}") for number in range(4)]
    assert Counter(each.name for each in given if isinstance(each, Slot)) == Counter(quick=2, slow=1)
    assert given[-1] == NoSlot(full=True)
    quick = next(each for each in given if isinstance(each, Slot) and each.name == "quick")
    await fleet.finish(quick, "ignored")
    served = await looks(fleet, "call-3")
    assert isinstance(served, Slot)
    assert served.name == "quick"


async def test_a_slow_instance_serves_up_to_its_cap_once_too_many_wait_for_the_quick_one(
    fleet: Fleet,
) -> None:
    await one_is_slow(fleet)
    callers = [f"call-{number}" for number in range(8)]
    for _ in range(2):
        given = [await looks(fleet, caller) for caller in callers]
        callers = [caller for caller, each in zip(callers, given, strict=True) if each == NoSlot(full=True)]
    assert await fleet.in_flight("quick") == 2
    assert await fleet.in_flight("slow") >= 3
    assert len(callers) <= 3


async def test_an_instance_thrice_as_slow_is_used_in_full(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A", cap=4), llm("B", cap=2))
    await fleet.call_ends("A", "ok", latency_ms=850)
    await fleet.call_ends("B", "ok", latency_ms=300)
    given = [await looks(fleet, f"call-{number}") for number in range(6)]
    assert Counter(each.name for each in given if isinstance(each, Slot)) == Counter(A=4, B=2)


async def flaps(fleet: Fleet) -> None:
    """Let A be ejected, come back, and be ejected again half a minute later."""
    await outcomes(fleet, "A", "---")
    await fleet.time_passes(6, "A")
    assert await outcomes(fleet, "A", "+") == ["recovered"]
    await fleet.time_passes(30, "A")
    assert (await outcomes(fleet, "A", "---"))[-1] == "ejected"
    await fleet.time_passes(11, "A")


async def test_one_that_fails_again_soon_after_its_return_is_probed_for_five_seconds(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", priority="high"), llm("B"))
    await flaps(fleet)
    assert await outcomes(fleet, "A", "+++") == [""] * 3
    assert await fleet.hold(3) == Counter(A=1, B=2)  # still one call at a time
    await fleet.time_passes(6, "A")
    assert await outcomes(fleet, "A", "+") == ["recovered"]
    assert await fleet.hold(3) == Counter(A=3)


async def test_a_probe_that_fails_begins_the_five_seconds_anew(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await flaps(fleet)
    assert await outcomes(fleet, "A", "+-") == ["", "ejected"]
    await fleet.time_passes(21, "A")
    assert await outcomes(fleet, "A", "+") == [""]
    await fleet.time_passes(6, "A")
    assert await outcomes(fleet, "A", "+") == ["recovered"]


async def test_a_minute_of_good_service_takes_an_ejections_doubling_and_the_trial_back(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await outcomes(fleet, "A", "---")
    for _ in range(3):
        await fleet.time_passes(6, "A")
        assert await outcomes(fleet, "A", "+") == ["recovered"]
        await fleet.time_passes(70, "A")
        assert (await outcomes(fleet, "A", "---"))[-1] == "ejected"
    assert (await fleet.fields("A"))["ejections"] == "1"


async def test_a_restored_instance_has_no_trial_to_pass(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await flaps(fleet)
    assert await admin.restore(redis, "A") == "llm"
    fields = await fleet.fields("A")
    assert not {"trial_ms", "tried_since_ms", "ejections"} & set(fields)


async def test_a_call_that_began_before_the_failures_does_not_bring_the_instance_back(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await outcomes(fleet, "A", "---")
    assert await fleet.call_ends("A", "ok", latency_ms=2000) == [""]
    assert await fleet.pick_in_turn(3) == "BBB"
    await fleet.time_passes(6, "A")
    assert await fleet.call_ends("A", "ok", latency_ms=8000) == [""]
    assert await fleet.call_ends("A", "ok", latency_ms=100) == ["recovered"]

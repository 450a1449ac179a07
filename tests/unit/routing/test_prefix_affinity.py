"""Preference for the instance that served a dialogue last, in a real Valkey."""

from __future__ import annotations

from typing import Final, get_args

import pytest

from dispatcher.messages import Algorithm
from dispatcher.redis_client import keys
from dispatcher.routing import leases
from dispatcher.routing.leases import Slot
from dispatcher.routing.overview import read_overview
from dispatcher.routing.rules.constants import (
    AFFINITY_FADE_MS,
    AFFINITY_LOAD_FACTOR,
    AFFINITY_REASON,
    SLOW_START_MS,
)
from tests.support.fleet import Fleet, llm

NOW_MS: Final = 1_000_000_000.0
BY_LOAD: Final = ("least_connections", "response_time", "resource_based")
IN_TURN: Final = ("round_robin", "weighted_round_robin")


async def served(fleet: Fleet, dialogue: str, *, now_ms: float | None = None) -> Slot:
    """Make one call of a dialogue, from its pick to its end."""
    slot = await fleet.pick(dialogue=dialogue, now_ms=now_ms)
    await leases.finish(fleet.redis, slot, outcome="ok", latency_ms=300, now_ms=now_ms)
    return slot


async def test_every_algorithm_is_either_by_load_or_in_turn() -> None:
    assert {*BY_LOAD, *IN_TURN} == set(get_args(Algorithm))


@pytest.mark.parametrize("algorithm", BY_LOAD)
async def test_a_dialogue_stays_with_its_instance_and_the_reason_says_so(
    fleet: Fleet, algorithm: Algorithm
) -> None:
    await fleet.configure(algorithm, llm("A"), llm("B"), llm("C"))
    for name in "ABC":
        await fleet.call_ends(name, "ok", latency_ms=300)
    first = await served(fleet, "one")
    later = [await served(fleet, "one") for _ in range(10)]
    assert {slot.name for slot in later} == {first.name}
    assert all(AFFINITY_REASON in slot.reason for slot in later)
    assert AFFINITY_REASON not in first.reason


@pytest.mark.parametrize("algorithm", IN_TURN)
async def test_exact_shares_stay_exact(fleet: Fleet, algorithm: Algorithm) -> None:
    await fleet.configure(algorithm, llm("A"), llm("B"))
    assert [(await served(fleet, "one")).name for _ in range(4)] == ["A", "B", "A", "B"]


async def test_the_preference_is_bounded_by_load_and_by_the_cap(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A", cap=8), llm("B", cap=8))
    held = [await fleet.pick(dialogue="one", now_ms=NOW_MS) for _ in range(AFFINITY_LOAD_FACTOR)]
    assert len({slot.name for slot in held}) == 1, "up to four times the load of the idle one"
    assert (await fleet.pick(dialogue="one", now_ms=NOW_MS)).name != held[0].name


async def test_the_preference_fades(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A", cap=8), llm("B", cap=8))
    first = await fleet.pick(dialogue="one", now_ms=NOW_MS)
    await leases.renew(fleet.redis, [first], now_ms=NOW_MS + AFFINITY_FADE_MS)
    place = await fleet.redis.execute("GET", keys.affinity("llm", "one"))
    assert place.decode() == f"{first.name} {NOW_MS:.0f}"
    assert 0 < await fleet.redis.execute("PTTL", keys.affinity("llm", "one")) <= AFFINITY_FADE_MS
    await leases.renew(fleet.redis, [first], now_ms=NOW_MS + 0.9 * AFFINITY_FADE_MS - 1)
    later = await fleet.pick(dialogue="one", now_ms=NOW_MS + 0.9 * AFFINITY_FADE_MS)
    assert later.name != first.name, "twice the load is too much for the tenth that is left"


async def test_an_instance_that_is_out_loses_the_dialogue_within_the_turn(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A"), llm("B"))
    first = await served(fleet, "one")
    second = await fleet.pick(excluded=[first.name], dialogue="one")
    await leases.finish(fleet.redis, second, outcome="ok", latency_ms=300)
    assert second.name != first.name
    assert {(await served(fleet, "one")).name for _ in range(4)} == {second.name}, "it moved for good"
    await fleet.redis.execute("HSET", keys.instance("llm", second.name), "draining", 1)
    assert (await served(fleet, "one")).name == first.name


async def test_priority_comes_before_affinity(fleet: Fleet) -> None:
    await fleet.configure(
        "least_connections", llm("own", priority="high", cap=1), llm("paid", priority="low")
    )
    held = await fleet.pick()
    assert (await served(fleet, "one")).name == "paid"
    await leases.finish(fleet.redis, held, outcome="ok", latency_ms=300)
    assert (await served(fleet, "one")).name == "own"


async def test_an_instance_under_slow_start_is_not_preferred(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A"), llm("B"))
    first = await served(fleet, "one", now_ms=NOW_MS)
    await fleet.redis.execute("HSET", keys.instance("llm", first.name), "recovered_at_ms", int(NOW_MS))
    during = await served(fleet, "one", now_ms=NOW_MS + SLOW_START_MS / 2)
    assert during.name != first.name


async def test_the_share_of_cached_prompts_is_learned_and_shown(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A"))
    for ratio in (1.0, None, 0.5):
        slot = await fleet.pick()
        await leases.finish(fleet.redis, slot, outcome="ok", latency_ms=300, cached_ratio=ratio)
    (view,) = (await read_overview(fleet.redis)).instances
    assert view.cached_ratio == pytest.approx(0.9)


async def test_calls_without_a_dialogue_leave_nothing_behind(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A"), llm("B"))
    await fleet.pick()
    assert await fleet.redis.execute("EXISTS", keys.affinity("llm", "")) == 0


async def ends(fleet: Fleet, *, cached: float, took_ms: float) -> tuple[float, float]:
    """End a call that read so much of its prompt anew; return what is known of the instance's times."""
    slot = await fleet.pick()
    await leases.finish(
        fleet.redis, slot, outcome="ok", latency_ms=took_ms, first_ms=took_ms, cached_ratio=cached
    )
    known = await fleet.fields("A")
    return float(known["latency_ewma_ms"]), float(known["first_ms"])


async def test_a_prompt_that_is_read_anew_makes_no_instance_slow_that_usually_knows_it(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A"))
    for _ in range(3):
        warm = await ends(fleet, cached=0.9, took_ms=500)
    assert await ends(fleet, cached=0.0, took_ms=4000) == pytest.approx(warm, rel=0.01)
    assert await ends(fleet, cached=0.2, took_ms=3000) == pytest.approx(warm, rel=0.01)


async def test_an_instance_that_no_longer_knows_any_prompt_is_slow_after_five_calls(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A"))
    await ends(fleet, cached=0.9, took_ms=500)
    times = [await ends(fleet, cached=0.0, took_ms=4000) for _ in range(7)]
    assert times[4][0] == pytest.approx(500, rel=0.01)
    assert times[-1][0] == pytest.approx(4000)


async def test_the_first_call_that_knows_its_prompt_counts_in_place_of_those_before(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A"))
    for _ in range(3):
        await ends(fleet, cached=0.0, took_ms=4000)
    assert await ends(fleet, cached=0.9, took_ms=500) == pytest.approx((500, 500))


async def test_an_instance_that_never_tells_of_a_known_prompt_is_known_by_every_call(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A"))
    await ends(fleet, cached=0.0, took_ms=500)
    assert (await ends(fleet, cached=0.0, took_ms=4000))[0] == pytest.approx(4000)


async def test_response_time_keeps_a_dialogue_where_another_one_was_read_anew(fleet: Fleet) -> None:
    await fleet.configure("response_time", llm("A", cap=4), llm("B", cap=4))

    async def call(dialogue: str, *, cached: float, took_ms: float, not_on: str = "") -> Slot:
        slot = await fleet.pick(dialogue=dialogue, excluded=[not_on])
        await leases.finish(
            fleet.redis, slot, outcome="ok", latency_ms=took_ms, first_ms=took_ms, cached_ratio=cached
        )
        return slot

    places = {"one": "A", "two": "B"}
    await call("one", cached=0.0, took_ms=4000, not_on="B")
    await call("two", cached=0.0, took_ms=4000, not_on="A")
    for _ in range(3):
        for name, place in places.items():
            assert (await call(name, cached=0.9, took_ms=500)).name == place
    await call("three", cached=0.0, took_ms=4000)
    for name, place in places.items():
        assert (await call(name, cached=0.9, took_ms=500)).name == place

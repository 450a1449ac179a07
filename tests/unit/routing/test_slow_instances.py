"""An instance that is slow to its first result: who still asks it, and how it comes back; times are told."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest

from dispatcher.messages import Algorithm
from dispatcher.routing import leases
from dispatcher.routing.leases import NoSlot, Outcome, PickMode, Slot
from dispatcher.routing.overview import read_overview
from tests.support.fleet import TURN, Fleet, llm

ALGORITHMS = get_args(Algorithm)
QUICK_MS, SLOW_MS = 600.0, 3300.0


class Timed:
    """Calls to a fleet at times that the test tells."""

    def __init__(self, fleet: Fleet) -> None:
        self.now_s = 1000.0
        self._fleet = fleet

    async def try_pick(self, mode: PickMode = "offer", *excluded: str) -> Slot | NoSlot:
        return await leases.pick(
            self._fleet.redis,
            "llm",
            turn_id=TURN,
            excluded=excluded,
            lease_id=leases.new_lease_id(),
            mode=mode,
            now_ms=self.now_s * 1000,
        )

    async def pick(self, mode: PickMode = "offer", *excluded: str) -> Slot:
        slot = await self.try_pick(mode, *excluded)
        assert isinstance(slot, Slot), slot
        return slot

    async def end(self, slot: Slot, first_ms: float | None, outcome: Outcome = "ok") -> str:
        return await leases.finish(
            self._fleet.redis,
            slot,
            outcome=outcome,
            latency_ms=first_ms or 0.0,
            first_ms=first_ms,
            now_ms=self.now_s * 1000,
        )

    async def teach(self, name: str, first_ms: float, *, times: int = 1, outcome: Outcome = "ok") -> None:
        slot = Slot(service="llm", name=name, lease_id="elsewhere", in_flight=1, reason="")
        for _ in range(times):
            await self.end(slot, first_ms, outcome)

    async def turns(self, count: int, *, every_s: float = 1.0) -> tuple[str, int]:
        """Answer turns one after the other; return who did, and how many probes were offered."""
        by, probes = "", 0
        for _ in range(count):
            self.now_s += every_s
            slot = await self.pick()
            by += slot.name
            probes += bool(slot.probe)
            await self.end(slot, None, "ignored")
        return by, probes


@pytest.fixture
async def timed(fleet: Fleet) -> Timed:
    return Timed(fleet)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_no_turn_waits_for_a_slow_instance_while_a_quick_one_is_free(
    fleet: Fleet, timed: Timed, algorithm: Algorithm
) -> None:
    await fleet.configure(algorithm, llm("A", weight=4), llm("B", cap=2))
    await timed.teach("A", SLOW_MS)
    await timed.teach("B", QUICK_MS)
    by, _ = await timed.turns(8)
    assert by == "B" * 8
    assert [(await timed.pick()).name for _ in range(3)] == ["B", "B", "A"], "slow is better than not at all"


@pytest.mark.parametrize("algorithm", ["round_robin", "weighted_round_robin", "least_connections"])
async def test_one_that_is_slower_by_less_than_a_factor_of_two_keeps_its_share(
    fleet: Fleet, timed: Timed, algorithm: Algorithm
) -> None:
    await fleet.configure(algorithm, llm("B", weight=3), llm("S", weight=3))
    await timed.teach("B", 1.8 * QUICK_MS)
    await timed.teach("S", QUICK_MS)
    by, probes = await timed.turns(100)
    assert Counter(by)["B"] == pytest.approx(50, abs=20)
    assert probes == 0


async def test_times_too_short_for_any_user_to_tell_apart_make_no_instance_slow(
    fleet: Fleet, timed: Timed
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await timed.teach("A", 190)
    await timed.teach("B", 20)
    assert set((await timed.turns(4))[0]) == {"A", "B"}


async def test_one_answer_of_three_times_the_usual_makes_no_instance_slow_and_a_hopeless_one_does_at_once(
    fleet: Fleet, timed: Timed
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await timed.teach("A", QUICK_MS, times=3)
    await timed.teach("B", QUICK_MS, times=3)
    await timed.teach("A", 3.0 * QUICK_MS)
    assert set((await timed.turns(4))[0]) == {"A", "B"}
    await timed.teach("A", 5 * QUICK_MS, outcome="ignored")
    assert set((await timed.turns(4))[0]) == {"B"}, "what a lost race shows is known to all"


async def test_slow_counts_among_instances_of_one_priority_alone(fleet: Fleet, timed: Timed) -> None:
    await fleet.configure("round_robin", llm("own", priority="high"), llm("paid", priority="low"))
    await timed.teach("own", SLOW_MS)
    await timed.teach("paid", QUICK_MS)
    assert await timed.turns(3) == ("own" * 3, 0)


async def test_probes_of_a_slow_instance_become_rarer_and_are_one_at_a_time(
    fleet: Fleet, timed: Timed
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await timed.teach("A", SLOW_MS)
    await timed.teach("B", QUICK_MS)
    await timed.turns(1, every_s=0)
    began_s, probed_s = timed.now_s, []
    while timed.now_s < began_s + 190:
        timed.now_s += 5
        slot = await timed.pick()
        if slot.probe:
            probed_s.append(timed.now_s - began_s)
            beside = await timed.pick("probe", "B")
            assert (slot.probe, beside.name, beside.reason) == ("A", "A", "round_robin: probe, unheard")
            assert (await timed.pick()).probe == ""
            await timed.end(beside, SLOW_MS, "probed")
        await timed.end(slot, None, "ignored")
    assert probed_s == [5, 10, 20, 40, 80, 140]


async def test_many_turns_bring_probes_sooner_and_still_fewer_than_one_in_fifty(
    fleet: Fleet, timed: Timed
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await timed.teach("A", SLOW_MS)
    await timed.teach("B", QUICK_MS)
    _, probes = await timed.turns(1000, every_s=0.1)
    assert 10 <= probes <= 20


async def test_a_slow_instance_is_back_after_two_good_probes_seconds_apart(
    fleet: Fleet, timed: Timed
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await timed.teach("A", 3 * SLOW_MS)
    await timed.teach("B", QUICK_MS)
    await timed.turns(1)
    assert [each.state for each in (await read_overview(fleet.redis)).instances] == ["slow", "ready"]
    timed.now_s += 300
    calls = int((await fleet.fields("A"))["calls"])
    for rest_s in (0, 5):
        timed.now_s += rest_s
        slot = await timed.pick()
        assert (slot.name, slot.probe) == ("B", "A")
        await timed.end(await timed.pick("probe", "B"), QUICK_MS, "probed")
        await timed.end(slot, None, "ignored")
    assert set((await timed.turns(4))[0]) == {"A", "B"}
    fields = await fleet.fields("A")
    assert int(fields["calls"]) == calls + 2, "a probe is no call that weights go by"
    assert float(fields["latency_ewma_ms"]) == 3 * SLOW_MS, "and no whole one"


async def test_one_that_comes_back_is_probed_beside_a_call_and_then_starts_slowly(
    fleet: Fleet, timed: Timed
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await timed.teach("A", SLOW_MS, times=3, outcome="failed")
    timed.now_s += 6
    slot = await timed.pick()
    assert (slot.name, slot.probe) == ("B", "A")
    assert (await timed.pick()).probe == "", "the first one has not begun, or is under way"
    assert await timed.end(await timed.pick("probe", "B"), QUICK_MS, "probed") == "recovered"
    assert set((await timed.turns(4))[0]) == {"A", "B"}, "what it took before is forgotten"


async def test_whoever_makes_no_probes_tries_one_that_comes_back_as_ever(fleet: Fleet, timed: Timed) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await timed.teach("A", SLOW_MS, times=3, outcome="failed")
    timed.now_s += 6
    assert {(await timed.pick("")).name for _ in range(2)} == {"A", "B"}


async def test_a_call_knows_what_a_free_alternative_would_take(fleet: Fleet, timed: Timed) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B", cap=1), llm("C"))
    await timed.teach("B", QUICK_MS)
    await timed.teach("C", 1.5 * QUICK_MS)
    assert (await timed.pick("spare", "C", "B")).alternative_s is None, "they failed this call"
    fills_b = await timed.pick("probe", "A", "C")
    assert (await timed.pick("probe", "B", "C")).alternative_s is None, "no other one may have the call"
    assert {(await timed.pick()).alternative_s for _ in range(2)} == {None, 0.9}
    await timed.end(fills_b, None, "ignored")
    alternatives = {(slot := await timed.pick()).name: slot.alternative_s for _ in range(3)}
    assert alternatives["A"] == pytest.approx(0.6)

"""When a draft is late, and what its instance teaches."""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceUnreachable
from dispatcher.pipeline.attempts import CallProfile, Floor, LostHedge, Runner
from dispatcher.routing.leases import Slot
from dispatcher.routing.router import CallClock, Lease
from dispatcher.routing.rules.hedging import HEDGE_POLICIES, HedgePolicy, LateInstances, LatencyEstimator


@pytest.fixture
def usual() -> LatencyEstimator:
    return LatencyEstimator(HEDGE_POLICIES["asr"])


def lease() -> Lease:
    return Lease(
        instance=Instance(service="asr", name="asr-1", endpoint="http://127.0.0.1:9", max_concurrent=1),
        slot=Slot(service="asr", name="asr-1", lease_id="a-lease", in_flight=1, reason=""),
        wait_ms=0.0,
        clock=CallClock(),
    )


def begun(usual: LatencyEstimator, *, ready_at: float) -> Runner:
    """Return a draft that was begun a minute ago, whose instance has all that it needs since `ready_at`."""
    floor = Floor(usual, LateInstances(), CallProfile(ready_at=lambda: ready_at), on_taken=lambda: None)
    runner = Runner(floor)
    runner.begin(lease())
    runner.started_at -= 60
    return runner


def test_a_draft_is_late_when_its_instance_had_all_that_it_needs_for_long(usual: LatencyEstimator) -> None:
    assert begun(usual, ready_at=0.0).is_late


def test_no_draft_is_late_while_its_instance_has_not_got_everything(usual: LatencyEstimator) -> None:
    runner = begun(usual, ready_at=math.inf)
    assert not runner.is_late
    assert not runner.hear_out(), "there is nothing to learn from its silence"


def test_an_ear_that_answers_before_the_user_has_ended_is_quick_and_no_more(usual: LatencyEstimator) -> None:
    assert begun(usual, ready_at=math.inf).take_floor()
    assert usual.wait_s("asr-1") == HEDGE_POLICIES["asr"].and_s


def test_only_the_first_result_counts_and_the_time_of_both_is_known(usual: LatencyEstimator) -> None:
    floor = Floor(usual, LateInstances(), CallProfile(), on_taken=lambda: None)
    first, second = Runner(floor), Runner(floor)
    for runner in (first, second):
        runner.begin(lease())
    assert (first.take_floor(), second.take_floor(), first.take_floor()) == (True, False, True)
    floor.is_free_again()
    assert second.take_floor(), "the one that had it failed"


def begun_llm(usual: LatencyEstimator) -> Runner:
    runner = Runner(Floor(usual, LateInstances(), CallProfile(), on_taken=lambda: None))
    runner.begin(lease())
    return runner


def test_a_stream_that_pauses_after_its_first_sentence_is_late_again() -> None:
    runner = begun_llm(LatencyEstimator(HEDGE_POLICIES["llm"]))
    runner.mark_alive()
    assert runner.take_floor()
    assert not runner.is_late
    assert runner.late_at - time.monotonic() == pytest.approx(HEDGE_POLICIES["llm"].pause_s, abs=0.2)


def test_a_stream_that_lives_without_text_thinks_until_its_first_sentence() -> None:
    runner = begun_llm(LatencyEstimator(HEDGE_POLICIES["llm"]))
    runner.started_at -= 60
    runner.mark_alive(is_thinking=True)
    assert runner.is_thinking
    assert runner.is_late
    assert not runner.hear_out(), "it is slow, and nothing is wrong with it"
    runner.mark_alive()
    assert not runner.is_thinking


def test_a_pause_between_pieces_of_speech_is_a_matter_of_the_stream_itself(usual: LatencyEstimator) -> None:
    runner = begun_llm(usual)
    assert runner.take_floor()
    assert math.isinf(runner.late_at)


def test_a_probe_never_has_the_floor_and_its_time_is_known_to_all(usual: LatencyEstimator) -> None:
    floor = Floor(usual, LateInstances(), CallProfile(size=2.0), on_taken=lambda: None)
    probe, first = Runner(floor, is_probe=True), Runner(floor)
    for runner in (probe, first):
        runner.begin(lease())
    probe.started_at -= 3.0
    assert not probe.take_floor()
    assert first.take_floor(), "the floor was free for the one that answers"
    assert probe.lease is not None
    assert probe.lease.clock.first_ms == pytest.approx(1500, abs=200), "as a call of usual size would take"


async def test_a_probe_that_thinks_for_too_long_is_no_failure_and_one_that_is_silent_is() -> None:
    usual = LatencyEstimator(HedgePolicy(result="first sentence", silence_s=0.02))

    async def never(_: Runner, __: Lease) -> None:
        await asyncio.Event().wait()

    thinking = Runner(Floor(usual, LateInstances(), CallProfile(), on_taken=lambda: None), is_probe=True)
    thinking.begin(lease())
    thinking.mark_alive(is_thinking=True)
    with pytest.raises(LostHedge):
        await thinking.write(lease(), never)
    silent = Runner(Floor(usual, LateInstances(), CallProfile(), on_taken=lambda: None), is_probe=True)
    held = lease()
    silent.begin(held)
    with pytest.raises(InstanceUnreachable, match="no first sentence in time"):
        await silent.write(held, never)
    assert held.clock.first_ms is not None, "it takes so long at least"

"""When a draft is late, and what its instance teaches."""

from __future__ import annotations

import math
import time

import pytest

from dispatcher.balancing.hedging import PATIENCES, Suspects, UsualTimes
from dispatcher.catalogue.model import Instance
from dispatcher.router import CallClock, Lease
from dispatcher.state.leases import Slot
from workers.floor import Course, Floor, Runner


@pytest.fixture
def usual() -> UsualTimes:
    return UsualTimes(PATIENCES["asr"])


def lease() -> Lease:
    return Lease(
        instance=Instance(service="asr", name="asr-1", endpoint="http://127.0.0.1:9", max_concurrent=1),
        slot=Slot(service="asr", name="asr-1", lease_id="a-lease", in_flight=1, reason=""),
        wait_ms=0.0,
        clock=CallClock(),
    )


def begun(usual: UsualTimes, *, ready_at: float) -> Runner:
    """Return a draft that was begun a minute ago, whose instance has all that it needs since `ready_at`."""
    floor = Floor(usual, Suspects(), Course(ready_at=lambda: ready_at), on_taken=lambda: None)
    runner = Runner(floor)
    runner.begin(lease())
    runner.started_at -= 60
    return runner


def test_a_draft_is_late_when_its_instance_had_all_that_it_needs_for_long(usual: UsualTimes) -> None:
    assert begun(usual, ready_at=0.0).is_late


def test_no_draft_is_late_while_its_instance_has_not_got_everything(usual: UsualTimes) -> None:
    runner = begun(usual, ready_at=math.inf)
    assert not runner.is_late
    assert not runner.hear_out(), "there is nothing to learn from its silence"


def test_an_ear_that_answers_before_the_user_has_ended_is_quick_and_no_more(usual: UsualTimes) -> None:
    assert begun(usual, ready_at=math.inf).take_floor()
    assert usual.wait_s("asr-1") == PATIENCES["asr"].and_s


def test_only_the_first_result_counts_and_the_time_of_both_is_known(usual: UsualTimes) -> None:
    floor = Floor(usual, Suspects(), Course(), on_taken=lambda: None)
    first, second = Runner(floor), Runner(floor)
    for runner in (first, second):
        runner.begin(lease())
    assert (first.take_floor(), second.take_floor(), first.take_floor()) == (True, False, True)
    floor.is_free_again()
    assert second.take_floor(), "the one that had it failed"


def begun_llm(usual: UsualTimes) -> Runner:
    runner = Runner(Floor(usual, Suspects(), Course(), on_taken=lambda: None))
    runner.begin(lease())
    return runner


def test_a_stream_that_pauses_after_its_first_sentence_is_late_again() -> None:
    runner = begun_llm(UsualTimes(PATIENCES["llm"]))
    runner.mark_alive()
    assert runner.take_floor()
    assert not runner.is_late
    assert runner.late_at - time.monotonic() == pytest.approx(PATIENCES["llm"].pause_s, abs=0.2)


def test_a_stream_that_lives_without_text_thinks_until_its_first_sentence() -> None:
    runner = begun_llm(UsualTimes(PATIENCES["llm"]))
    runner.started_at -= 60
    runner.mark_alive(is_thinking=True)
    assert runner.is_thinking
    assert runner.is_late
    assert not runner.hear_out(), "it is slow, and nothing is wrong with it"
    runner.mark_alive()
    assert not runner.is_thinking


def test_a_pause_between_pieces_of_speech_is_a_matter_of_the_stream_itself(usual: UsualTimes) -> None:
    runner = begun_llm(usual)
    assert runner.take_floor()
    assert math.isinf(runner.late_at)

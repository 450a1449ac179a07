"""Times of an attempt: late or not, and what its instance teaches."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from dispatcher.messages import Service
from dispatcher.pipeline.attempt import (
    TRANSITIONS,
    Attempt,
    AttemptEvent,
    AttemptState,
    CallProfile,
    at_once,
    now,
)
from dispatcher.routing.call_clock import CallClock
from dispatcher.routing.call_usage import CallUsage
from dispatcher.routing.leases import Slot
from dispatcher.routing.router import Lease
from dispatcher.routing.rules.hedging import HEDGE_POLICIES, LatencyEstimator
from tests.unit.pipeline.fake_worker import instance_of, ticket_of


def begun(
    service: Service = "asr",
    *,
    ago_s: float = 0.0,
    ready_at: Callable[[], float] = at_once,
    size: float = 1.0,
) -> Attempt:
    """Return an attempt that has its lease since a while, and wins with its first result."""

    def win(attempt: Attempt) -> bool:
        if not attempt.has_won:
            attempt.advance(AttemptEvent.WIN)
        return True

    attempt = Attempt(
        profile=CallProfile(service=service, ticket=ticket_of(), ready_at=ready_at, size=size),
        estimator=LatencyEstimator(HEDGE_POLICIES[service]),
        on_result=win,
    )
    slot = Slot(service=service, name="an-instance", lease_id="a-lease", in_flight=1, reason="")
    instance = instance_of(service, "an-instance")
    attempt.begin(Lease(instance=instance, slot=slot, wait_ms=0.0, clock=CallClock(), usage=CallUsage()))
    attempt.started_at = attempt.alive_at = now() - ago_s
    return attempt


async def test_an_attempt_is_late_when_its_instance_had_all_that_it_needs_for_long() -> None:
    assert begun(ago_s=60).late_at < now() < begun().late_at


async def test_no_attempt_is_late_while_its_instance_has_not_got_everything() -> None:
    attempt = begun(ago_s=60, ready_at=lambda: math.inf)
    assert math.isinf(attempt.late_at)
    attempt.lose()
    assert attempt.state is AttemptState.LOST, "there is nothing to learn from its silence"


async def test_an_instance_that_answers_before_the_user_has_ended_is_quick_and_no_more() -> None:
    attempt = begun(ago_s=60, ready_at=lambda: math.inf)
    assert attempt.try_win()
    assert attempt.estimator.wait_s("an-instance") == HEDGE_POLICIES["asr"].and_s


async def test_a_stream_that_pauses_after_its_first_sentence_is_late_again() -> None:
    attempt = begun("llm", ago_s=60)
    attempt.mark_alive()
    assert attempt.try_win()
    assert attempt.late_at == pytest.approx(now() + HEDGE_POLICIES["llm"].pause_s)


async def test_a_stream_that_lives_without_text_thinks_until_its_first_sentence() -> None:
    attempt = begun("llm", ago_s=60)
    attempt.mark_alive(is_thinking=True)
    assert attempt.is_thinking
    attempt.mark_alive()
    assert not attempt.is_thinking
    attempt.try_win()
    attempt.mark_alive(is_thinking=True)
    assert not attempt.is_thinking


async def test_pauses_between_pieces_of_audio_are_never_late() -> None:
    attempt = begun("tts")
    assert attempt.try_win()
    assert math.isinf(attempt.late_at)


async def test_the_time_of_a_large_call_counts_as_that_of_a_usual_one() -> None:
    attempt = begun(ago_s=3.0, size=2.0)
    attempt.try_win()
    assert attempt.lease is not None
    assert attempt.lease.clock.first_ms == pytest.approx(1500)
    attempt.started_at -= 60
    attempt.try_win()
    assert attempt.lease.clock.first_ms == pytest.approx(1500), "only the first result counts"


async def test_a_free_alternative_that_is_quicker_shortens_the_wait() -> None:
    attempt = begun("tts")
    attempt.estimator.note("an-instance", 2.0)
    assert attempt.lease is not None
    slow = attempt.late_at
    attempt.lease = replace(attempt.lease, slot=replace(attempt.lease.slot, alternative_s=0.2))
    assert attempt.late_at == pytest.approx(slow - 1.8)


def test_no_attempt_that_lost_or_failed_comes_back() -> None:
    ends = {AttemptState.LOST, AttemptState.FAILED}
    assert not ends & {state for state, _ in TRANSITIONS}
    assert {state for state, _ in TRANSITIONS} | set(TRANSITIONS.values()) == set(AttemptState)

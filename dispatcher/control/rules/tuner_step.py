"""One tick: at most one change. First what is under way, then what can be taken back, then something new."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from dispatcher.control.rules.actions import Proposal
from dispatcher.control.rules.candidates import candidates
from dispatcher.control.rules.conflicts import conflict
from dispatcher.control.rules.evidence import CAUSES, Cause, Measures, Sample, TunerEvidence, middle
from dispatcher.control.rules.experiment import TunerExperiment, judge, number
from dispatcher.control.rules.symptoms import (
    TunerTiming,
    is_gone,
    limit,
    sample_of,
    sustained,
    with_sample,
)
from dispatcher.control.rules.tuner_state import MOST_KEPT, Event, TunerDecision, TunerState
from dispatcher.messages import TunerMode


class Stepped(NamedTuple):
    """The state after a tick, and what was decided in it."""

    state: TunerState
    decisions: tuple[TunerDecision, ...] = ()


def step(
    state: TunerState,
    evidence: TunerEvidence,
    now: float,
    *,
    mode: TunerMode,
    tempo: TunerTiming | None = None,
) -> Stepped:
    """Return what follows from the evidence of one tick.

    In `observe` and `off` nothing new is done, and what is in force is taken back, one by one.
    """
    tempo = tempo or TunerTiming()
    sample = sample_of(evidence)
    state = replace(state, history=with_sample(state.history, sample), missing=evidence.missing)
    state = _forgetting(state, now, tempo)
    state = _noting_absence(state, sample, now)
    if mode != "act":
        return _hands_off(state, evidence, now, mode=mode, tempo=tempo)
    if state.pending is not None:
        return _judge_pending(state, state.pending, now, tempo)
    return _take_back(state, now, tempo) or _try_something(state, evidence, now, mode=mode, tempo=tempo)


def undo(state: TunerState, wanted: int, now: float, *, tempo: TunerTiming) -> Stepped:
    """Return what follows when a person takes an experiment back: it is left alone for a long time."""
    experiment = state.find(wanted)
    if experiment is None:
        return Stepped(state)
    state = state.resting(experiment.action.key, until_s=now + tempo.overruled_s)
    return _end(state, experiment, "undone", now, verdict="taken back by hand")


def refuse(
    state: TunerState, refused: TunerDecision, reason: str, now: float, *, tempo: TunerTiming
) -> Stepped:
    """Return what follows when an action could not act: it is as if it was never tried."""
    experiment = state.find(refused.number)
    state = state.resting(refused.action.key, until_s=now + tempo.cool_down_s)
    if experiment is not None:
        state = state.without(experiment)
    return Stepped(state, (replace(refused, at_s=now, event="refused", verdict=reason, act=None),))


def _forgetting(state: TunerState, now: float, tempo: TunerTiming) -> TunerState:
    return replace(
        state,
        history=tuple(each for each in state.history if each.at_s > now - tempo.memory_s - tempo.trial_s),
        rests=tuple(each for each in state.rests if each.until_s > now),
        setbacks=tuple(each for each in state.setbacks if each.at_s > now - tempo.overruled_s),
    )


def _noting_absence(state: TunerState, sample: Sample, now: float) -> TunerState:
    """Return the state with the time since when the cause of each kept action is gone."""

    def noted(experiment: TunerExperiment) -> TunerExperiment:
        if not is_gone(sample, experiment.cause):
            return replace(experiment, absent_since_s=None)
        since = now if experiment.absent_since_s is None else experiment.absent_since_s
        return replace(experiment, absent_since_s=since)

    return replace(state, kept=tuple(noted(each) for each in state.kept))


def _hands_off(
    state: TunerState, evidence: TunerEvidence, now: float, *, mode: TunerMode, tempo: TunerTiming
) -> Stepped:
    in_force = (*state.kept, *(() if state.pending is None else (state.pending,)))
    if in_force:
        return _end(state, in_force[-1], "undone", now, verdict=f"the mode is {mode}")
    if mode == "off":
        return Stepped(state)
    return _try_something(state, evidence, now, mode=mode, tempo=tempo)


def _judge_pending(state: TunerState, pending: TunerExperiment, now: float, tempo: TunerTiming) -> Stepped:
    if now - pending.begun_at_s < tempo.trial_s:
        return Stepped(state)
    verdict = judge(pending, middle([each for each in state.history if each.at_s > pending.begun_at_s]))
    rested = state.resting(pending.action.key, until_s=now + tempo.cool_down_s)
    if not (verdict.keep and pending.action.lasts):
        event: Event = "undone" if pending.action.lasts else "done"
        return _end(rested, pending, event, now, verdict=verdict.reason)
    kept = replace(state, pending=None, kept=(*state.kept, pending))
    return Stepped(kept, (_decision(pending, "kept", now, state, verdict=verdict.reason),))


def _take_back(state: TunerState, now: float, tempo: TunerTiming) -> Stepped | None:
    """Take the newest kept action back whose cause is long gone, unless a later one stands on it."""
    above: frozenset[str] = frozenset()
    for experiment in reversed(state.kept):
        settings = experiment.action.settings()
        patience_s = tempo.clear_s * 2 ** state.setbacks_of(experiment.action.key)
        since = experiment.absent_since_s
        if since is not None and now - since >= patience_s and not settings & above:
            verdict = f"{experiment.cause} is gone for {now - since:.0f} s"
            return _end(
                state.with_setback(experiment.action.key, now), experiment, "reversed", now, verdict=verdict
            )
        above |= settings
    return None


def _end(
    state: TunerState, experiment: TunerExperiment, event: Event, now: float, *, verdict: str
) -> Stepped:
    """Return the state without an experiment, and the decision that takes its changes back."""
    act = experiment.action.inverse() if experiment.action.lasts else None
    decision = replace(_decision(experiment, event, now, state, verdict=verdict), act=act)
    return Stepped(replace(state.without(experiment), changed_at_s=now), (decision,))


def _relapses(state: TunerState) -> tuple[Cause, ...]:
    """Return what the newest sample alone shows; enough for what helped before and was taken back."""
    newest = state.history[-1].measures
    return tuple(cause for cause in CAUSES if (newest.of(cause) or 0.0) > limit(cause))


def _try_something(
    state: TunerState, evidence: TunerEvidence, now: float, *, mode: TunerMode, tempo: TunerTiming
) -> Stepped:
    since_s = max(state.changed_at_s, now - tempo.memory_s)
    if len(state.kept) >= MOST_KEPT:
        return Stepped(state)
    for cause in sustained(state.history, since_s=since_s):
        for proposal in candidates(cause, evidence):
            if _may(state, proposal, evidence.measures, now):
                return _begin(state, proposal, now, mode=mode, tempo=tempo)
    for cause in _relapses(state):
        for proposal in candidates(cause, evidence):
            known = state.setbacks_of(proposal.action.key) > 0
            if known and _may(state, proposal, evidence.measures, now):
                return _begin(state, proposal, now, mode=mode, tempo=tempo)
    return Stepped(state)


def _may(state: TunerState, proposal: Proposal, measures: Measures, now: float) -> bool:
    rested = state.rests_until(proposal.action.key) <= now
    kept = [each.action for each in state.kept]
    return rested and not conflict(proposal.action, measures, kept)


def _begin(
    state: TunerState, proposal: Proposal, now: float, *, mode: TunerMode, tempo: TunerTiming
) -> Stepped:
    experiment = TunerExperiment(
        number=state.next_number,
        begun_at_s=now,
        cause=proposal.cause,
        action=proposal.action,
        why=proposal.why,
        before=middle(state.history[-3:]),
    )
    after = replace(state, next_number=state.next_number + 1)
    if mode == "observe":
        after = after.resting(proposal.action.key, until_s=now + tempo.cool_down_s)
        return Stepped(after, (_decision(experiment, "observed", now, state),))
    decision = replace(_decision(experiment, "tried", now, state), act=proposal.action)
    return Stepped(replace(after, pending=experiment, changed_at_s=now), (decision,))


def _decision(
    experiment: TunerExperiment, event: Event, now: float, state: TunerState, *, verdict: str = ""
) -> TunerDecision:
    return TunerDecision(
        number=experiment.number,
        at_s=now,
        event=event,
        cause=experiment.cause,
        action=experiment.action,
        why=experiment.why,
        evidence=_in_numbers(experiment.cause, experiment.before, len(state.history)),
        verdict=verdict,
    )


def _in_numbers(cause: Cause, before: Measures, samples: int) -> str:
    return f"{cause} {number(cause, before.of(cause))} over {number(cause, limit(cause))}, {samples} samples"

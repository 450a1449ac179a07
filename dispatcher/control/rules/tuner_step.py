"""One tick of the tuner, at most one change: first the pending action, then reversals, then something new."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from dispatcher.control.rules.actions import Proposal, conflict
from dispatcher.control.rules.evidence import CAUSES, Cause, Sample, TunerEvidence, median_of
from dispatcher.control.rules.experiment import TunerExperiment, judge, number
from dispatcher.control.rules.proposals import proposals
from dispatcher.control.rules.symptoms import (
    TunerTiming,
    has_cleared,
    limit,
    sample_of,
    sustained,
    with_sample,
)
from dispatcher.control.rules.tuner_state import MAX_KEPT, Event, TunerDecision, TunerState
from dispatcher.messages import TunerMode


class Stepped(NamedTuple):
    """The state after a tick, and the decisions of it."""

    state: TunerState
    decisions: tuple[TunerDecision, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerTick:
    """One moment of the tuner.

    Attributes:
        now_s: Unix time.
        mode: in `observe` and `off` nothing new is done, and what is in force is taken back, one by one.
    """

    now_s: float
    mode: TunerMode = "act"
    timing: TunerTiming = field(default_factory=TunerTiming)

    def step(self, state: TunerState, evidence: TunerEvidence) -> Stepped:
        """Return what follows from the evidence."""
        sample = sample_of(evidence)
        state = replace(state, history=with_sample(state.history, sample), missing=evidence.missing)
        state = _mark_cleared(self._drop_expired(state), sample)
        if self.mode != "act" and (reverted := self._revert_last(state)):
            return reverted
        if self.mode == "off":
            return Stepped(state)
        if state.pending is not None:
            return self._judge_pending(state, state.pending)
        return self._reverse_cleared(state) or self._try_new(state, evidence)

    def undo(self, state: TunerState, wanted: int) -> Stepped:
        """Return what follows when a person takes an experiment back: a long cool-down of its action."""
        experiment = state.find(wanted)
        if experiment is None:
            return Stepped(state)
        until_s = self.now_s + self.timing.overruled_s
        cooled = state.with_cool_down(experiment.action.key, until_s=until_s)
        return self._end(cooled, experiment, "undone", "taken back by hand")

    def refuse(self, state: TunerState, refused: TunerDecision, reason: str) -> Stepped:
        """Return what follows when an action could not act: it is as if it was never tried."""
        experiment = state.find(refused.number)
        state = self._cool_down(state, refused)
        if experiment is not None:
            state = state.without(experiment)
        return Stepped(state, (replace(refused, at_s=self.now_s, event="refused", verdict=reason, act=None),))

    def _drop_expired(self, state: TunerState) -> TunerState:
        oldest_s = self.now_s - self.timing.history_s - self.timing.trial_s
        forgiven_s = self.now_s - self.timing.overruled_s
        return replace(
            state,
            history=tuple(each for each in state.history if each.at_s > oldest_s),
            cool_downs=tuple(each for each in state.cool_downs if each.until_s > self.now_s),
            relapses=tuple(each for each in state.relapses if each.at_s > forgiven_s),
        )

    def _revert_last(self, state: TunerState) -> Stepped | None:
        active = (*state.kept, *(() if state.pending is None else (state.pending,)))
        return self._end(state, active[-1], "undone", f"the mode is {self.mode}") if active else None

    def _judge_pending(self, state: TunerState, pending: TunerExperiment) -> Stepped:
        if self.now_s - pending.begun_at_s < self.timing.trial_s:
            return Stepped(state)
        since = [each for each in state.history if each.at_s > pending.begun_at_s]
        verdict = judge(pending, median_of(since))
        if not (verdict.keep and pending.action.lasts):
            event: Event = "undone" if pending.action.lasts else "done"
            is_fruitless = not (verdict.keep or pending.action.lasts)
            rest_s = self.timing.fruitless_s if is_fruitless else self.timing.cool_down_s
            cooled = state.with_cool_down(pending.action.key, until_s=self.now_s + rest_s)
            return self._end(cooled, pending, event, verdict.reason)
        kept = replace(state, pending=None, kept=(*state.kept, pending))
        return Stepped(kept, (self._decision(state, pending, "kept", verdict.reason),))

    def _reverse_cleared(self, state: TunerState) -> Stepped | None:
        """Take the newest kept action back whose cause is long absent, unless a later one stands on it."""
        above: frozenset[str] = frozenset()
        for experiment in reversed(state.kept):
            action, since = experiment.action, experiment.absent_since_s
            clear_s = self.timing.clear_s * 2 ** state.relapses_of(action.key)
            if since is not None and self.now_s - since >= clear_s and not action.settings() & above:
                verdict = f"{experiment.cause} is gone for {self.now_s - since:.0f} s"
                return self._end(state.with_relapse(action.key, self.now_s), experiment, "reversed", verdict)
            above |= action.settings()
        return None

    def _try_new(self, state: TunerState, evidence: TunerEvidence) -> Stepped:
        """Begin with the first action that may be taken; a relapse is answered at its first sample."""
        if len(state.kept) >= MAX_KEPT:
            return Stepped(state)
        since_s = max(state.changed_at_s, self.now_s - self.timing.history_s)
        lasting = sustained(state.history, since_s=since_s)
        found = [(each, True) for cause in lasting for each in proposals(cause, evidence)]
        found += [(each, False) for cause in _above_limit(state) for each in proposals(cause, evidence)]
        kept = [each.action for each in state.kept]
        for proposal, lasts in found:
            key = proposal.action.key
            may_begin = (lasts or state.relapses_of(key) > 0) and state.cools_down_until(key) <= self.now_s
            if may_begin and not conflict(proposal.action, evidence.measures, kept):
                return self._begin(state, proposal)
        return Stepped(state)

    def _begin(self, state: TunerState, proposal: Proposal) -> Stepped:
        experiment = TunerExperiment(
            number=state.next_number,
            begun_at_s=self.now_s,
            cause=proposal.cause,
            action=proposal.action,
            why=proposal.why,
            before=median_of(state.history[-3:]),
        )
        after = replace(state, next_number=state.next_number + 1)
        if self.mode == "observe":
            decision = self._decision(state, experiment, "observed")
            return Stepped(self._cool_down(after, experiment), (decision,))
        decision = replace(self._decision(state, experiment, "tried"), act=proposal.action)
        return Stepped(replace(after, pending=experiment, changed_at_s=self.now_s), (decision,))

    def _end(self, state: TunerState, experiment: TunerExperiment, event: Event, verdict: str) -> Stepped:
        """Return the state without an experiment, and the decision that takes its changes back."""
        act = experiment.action.inverse() if experiment.action.lasts else None
        decision = replace(self._decision(state, experiment, event, verdict), act=act)
        return Stepped(replace(state.without(experiment), changed_at_s=self.now_s), (decision,))

    def _cool_down(self, state: TunerState, done: TunerExperiment | TunerDecision) -> TunerState:
        return state.with_cool_down(done.action.key, until_s=self.now_s + self.timing.cool_down_s)

    def _decision(
        self, state: TunerState, experiment: TunerExperiment, event: Event, verdict: str = ""
    ) -> TunerDecision:
        cause = experiment.cause
        over = f"{number(cause, experiment.before.of(cause))} over {number(cause, limit(cause))}"
        return TunerDecision(
            number=experiment.number,
            at_s=self.now_s,
            event=event,
            cause=cause,
            action=experiment.action,
            why=experiment.why,
            evidence=f"{cause} {over}, {len(state.history)} samples",
            verdict=verdict,
        )


def _above_limit(state: TunerState) -> tuple[Cause, ...]:
    """Return the causes of the newest sample alone."""
    newest = state.history[-1].measures
    return tuple(cause for cause in CAUSES if (newest.of(cause) or 0.0) > limit(cause))


def _mark_cleared(state: TunerState, sample: Sample) -> TunerState:
    """Return the state with the time since when the cause of each kept action is absent."""

    def marked(experiment: TunerExperiment) -> TunerExperiment:
        if not has_cleared(sample, experiment.cause):
            return replace(experiment, absent_since_s=None)
        since_s = sample.at_s if experiment.absent_since_s is None else experiment.absent_since_s
        return replace(experiment, absent_since_s=since_s)

    return replace(state, kept=tuple(marked(each) for each in state.kept))

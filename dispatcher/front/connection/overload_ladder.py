"""Ladder of overload of one front: its place, which follows the loads that the front reads anyway."""

from __future__ import annotations

import time
from collections import Counter

import structlog

from dispatcher.catalogue.overload_rules import OverloadRules
from dispatcher.front.connection.service_loads import ServiceLoads
from dispatcher.messages import Service
from dispatcher.routing.rules.overload import Ladder, OverloadStep, next_ladder, step_of_turn

log = structlog.get_logger(__name__)


class OverloadLadder:
    """The ladder of a front: each reads the same loads, and adds what it has sent itself since.

    Attributes:
        line_s: how long the lines were when they were looked at last.
        taken: how often each step was come to.
        turned_away: turns that were, since the front started.
        pinned: step that an operator chose; None where the load decides.
    """

    def __init__(self, loads: ServiceLoads) -> None:
        """Begin with full answers."""
        self.line_s = 0.0
        self.taken: Counter[OverloadStep] = Counter()
        self.turned_away = 0
        self.pinned: OverloadStep | None = None
        self._loads = loads
        self._place = Ladder()

    @property
    def step(self) -> OverloadStep:
        """The step that is taken now."""
        return self._place.step if self.pinned is None else self.pinned

    @property
    def allows_extras(self) -> bool:
        """Whether anything may be done ahead of a turn or beside it."""
        return self.step is OverloadStep.FULL

    def pin(self, step: int | None) -> None:
        """Take the step of an operator, or let the load decide again."""
        before, self.pinned = self.step, None if step is None else OverloadStep(step)
        self._note_change(before)

    def follow(self, rules: OverloadRules) -> None:
        """Go a step up or down, where the lines of now ask for it."""
        before = self.step
        self.line_s = self._loads.line_s("asr")
        if not rules.enabled:
            self._place = Ladder()
        elif self.line_s or self._place.step:
            now_s = time.monotonic()
            self._place = next_ladder(self._place, line_s=self.line_s, now_s=now_s, rules=rules)
        if self.step != before:
            self._note_change(before)

    def step_of_turn(self, rules: OverloadRules) -> OverloadStep:
        """Return the step of a turn that begins now."""
        self.follow(rules)
        if self.pinned is not None:
            return self.pinned
        return step_of_turn(self._place, line_s=self.line_s, rules=rules)

    def refusal(self, step: OverloadStep, rules: OverloadRules) -> str:
        """Return why a turn that begins on that step is turned away; empty where it is not."""
        if step is not OverloadStep.TOO_MANY:
            return ""
        if self.pinned is not None:
            return "too many at once: an operator pinned this step"
        return f"too many at once: a line of {self.line_s:.1f} s, {rules.steps_at_s[-1]:g} s is too long"

    def refusal_at(self, stage: Service, rules: OverloadRules, *, turn: int = 0) -> str:
        """Return why a turn, by its number, is turned away at a stage after all; empty where it is not."""
        line_s = self._loads.line_s(stage, turn=turn)
        if self.step is not OverloadStep.TOO_MANY or self.pinned is not None or line_s < rules.steps_at_s[-1]:
            return ""
        return (
            f"too many at once: a line of {line_s:.1f} s at {stage}, {rules.steps_at_s[-1]:g} s is too long"
        )

    def _note_change(self, before: OverloadStep) -> None:
        step = self.step
        if step == before:
            return
        self.taken[step] += 1
        write = log.warning if step > before else log.info
        write(
            "overload step changed",
            step=int(step),
            means=step.words,
            before=int(before),
            line_s=round(self.line_s, 1),
            is_pinned=self.pinned is not None,
        )

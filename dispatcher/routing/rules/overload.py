"""Ladder of overload: a turn is given less, step by step, while turns wait for places, and more again after.

| step | name | a turn that begins on it |
| --- | --- | --- |
| 0 | full | is answered in full |
| 1 | no extras | has no hedged call or probe; nothing is read ahead, no memory is updated |
| 2 | brief | has a shorter answer as well |
| 3 | local | may use instances that stand by, and those without a key first |
| 4 | filler | has a filler as soon as its words are known |
| 5 | too many | is not answered, and told so at once |

A step is taken at the line that is expected at the places (`prediction.line_s`), and given back where that is
shorter by a share of it for a while. Up and down it goes step by step. Only a line in which nobody would be
served in time leads to the last step at once.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from dispatcher.catalogue.overload_rules import OverloadRules

# Loads are read four times a second: a step is taken after one of them and kept for the next, at least.
STEP_UP_INTERVAL_S: Final = 0.2


class OverloadStep(IntEnum):
    """Step of the ladder."""

    FULL = 0
    NO_EXTRAS = 1
    BRIEF = 2
    LOCAL = 3
    FILLER = 4
    TOO_MANY = 5

    @property
    def words(self) -> str:
        """What it means for a turn, in words for people."""
        return _WORDS[self]


_WORDS: Final = (
    "full answers",
    "no hedges, nothing ahead",
    "short answers",
    "standby and keyless instances too",
    "a filler first",
    "too many at once: new turns are turned away",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Place on the ladder.

    Attributes:
        step: that is taken.
        since_s: when it was.
        calm_since_s: since when the line is short enough for the step before; None while it is not.
    """

    step: OverloadStep = OverloadStep.FULL
    since_s: float = 0.0
    calm_since_s: float | None = None


def next_ladder(ladder: Ladder, *, line_s: float, now_s: float, rules: OverloadRules) -> Ladder:
    """Return the place on the ladder with a line of that length.

    Args:
        ladder: the place so far.
        line_s: for how long a call that is made now waits for those in front.
        now_s: time of a steady clock.
        rules: of the YAML.
    """
    wanted = OverloadStep(min(bisect_right(rules.steps_at_s, line_s), rules.highest_step))
    if wanted > ladder.step:
        return _up(ladder, wanted, now_s)
    if ladder.step > rules.highest_step:
        return Ladder(step=wanted, since_s=now_s)
    if ladder.step is OverloadStep.FULL or _holds(ladder.step, line_s, rules):
        return replace(ladder, calm_since_s=None)
    calm_since_s = now_s if ladder.calm_since_s is None else ladder.calm_since_s
    if now_s - calm_since_s < rules.step_back_after_s:
        return replace(ladder, calm_since_s=calm_since_s)
    # The time of calm for the step before begins now.
    return Ladder(step=OverloadStep(ladder.step - 1), since_s=now_s, calm_since_s=now_s)


def _up(ladder: Ladder, wanted: OverloadStep, now_s: float) -> Ladder:
    """Return the place a step up, or at the last step where that is wanted."""
    if wanted is OverloadStep.TOO_MANY:
        return Ladder(step=wanted, since_s=now_s)
    if now_s - ladder.since_s < STEP_UP_INTERVAL_S:
        return replace(ladder, calm_since_s=None)
    return Ladder(step=OverloadStep(ladder.step + 1), since_s=now_s)


def _holds(step: OverloadStep, line_s: float, rules: OverloadRules) -> bool:
    """Return whether the line is too long for the step before."""
    return line_s >= rules.steps_at_s[step - 1] * (1 - rules.hysteresis_ratio)


def step_of_turn(ladder: Ladder, *, line_s: float, rules: OverloadRules) -> OverloadStep:
    """Return the step of a turn that begins now.

    One that finds no line is answered in full; none is turned away by a line that has become short.
    """
    if line_s <= 0:
        return OverloadStep.FULL
    if ladder.step is OverloadStep.TOO_MANY and not _holds(ladder.step, line_s, rules):
        return OverloadStep.FILLER
    return ladder.step

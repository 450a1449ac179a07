"""Rules of overload: equal shares of the lines, and the ladder of what turns are given less of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from dispatcher.catalogue.fields import Count, Duration, Switch, expected
from dispatcher.catalogue.section import Section, key


def _rising(times: tuple[float, ...]) -> tuple[float, ...]:
    if list(times) != sorted(times):
        raise ValueError(times)
    return times


StepNumber = Annotated[
    int, Field(ge=0, le=5, strict=True), expected("a whole number of 0 (no step) to 5 (every step)")
]
# A step whose whole bound were hysteresis would never be given back.
Hysteresis = Annotated[float, Field(ge=0, lt=1, strict=True), expected("a number of at least 0, below 1")]
StepTimes = Annotated[
    tuple[Duration, Duration, Duration, Duration, Duration],
    AfterValidator(_rising),
    expected("five times, none shorter than the one before, such as [300ms, 1s, 1500ms, 2s, 20s]"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverloadRules(Section):
    """What happens with more to do than places (docs/adr/0045, docs/adr/0046).

    Attributes:
        enabled: calls wait in the line of their service, with equal shares, and the ladder is used; off,
            first come, first served.
        highest_step: that is taken; 0 for none, 4 where nobody is turned away.
        steps_at_s: lines at which the steps 1 to 5 are taken.
        hysteresis_ratio: a step is given back where the line is shorter than its own by this share of it.
        step_back_after_s: for so long.
        brief_tokens: length of a shorter answer, at most.
    """

    enabled: Switch = True
    highest_step: StepNumber = 5
    steps_at_s: Annotated[StepTimes, key("steps_at")] = (0.3, 1.0, 1.5, 2.0, 20.0)
    hysteresis_ratio: Annotated[Hysteresis, key("hysteresis")] = 0.3
    step_back_after_s: Annotated[Duration, key("step_back_after")] = 0.5
    brief_tokens: Count = 150

"""What must not be done now: against another cause, or against what was found to help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dispatcher.control.rules.actions import Action, Kind
from dispatcher.control.rules.evidence import Cause, Measures
from dispatcher.control.rules.symptoms import GONE_RATIO, limit

# More of these costs what is short then. (The rules as first written did both at once.)
COSTS: Final[dict[Kind, tuple[Cause, ...]]] = {
    "pool": ("cpu", "memory"),
    "worker": ("cpu", "memory"),
    "records": ("cpu",),
    "restart": ("cpu",),
}


def conflict(action: Action, now: Measures, kept: Sequence[Action]) -> str:
    """Return why an action must not be done now; empty where it may be."""
    if action.upwards or not action.lasts:
        for cause in COSTS.get(action.kind, ()):
            value = now.of(cause)
            if value is not None and value > GONE_RATIO * limit(cause):
                return f"{cause} is at {value:.2f} of at most {limit(cause):.2f}"
    for other in kept:
        if action.opposes(other):
            return f"{other.in_words()} was found to help"
    return ""

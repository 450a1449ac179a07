"""Rules of speculation: when a turn may begin at a pause, when it is dropped, and what it may waste."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from dispatcher.messages import Service
from dispatcher.routing.rules.constants import SPARE_SLOTS_RATIO
from dispatcher.routing.rules.prediction import ServiceLoad

SpeculationStep = Literal["", "start", "drop"]

# A front that has just started may try as many at once; Envoy's retry budget begins like this.
FIRST_SAVED: Final = 3.0
# No more are saved up, whatever the number of turns before.
_MAX_SAVED: Final = 30.0


def next_step(
    *, voice_ms: int, quiet_ms: int, pause_ms: int, begun_at_ms: int | None, runs: bool
) -> SpeculationStep:
    """Return what to do after another piece of an utterance.

    Args:
        voice_ms: speech in it so far: with the same amount it is the same utterance.
        quiet_ms: time since then.
        pause_ms: after which a turn begins.
        begun_at_ms: speech at the last pause that was thought of; None before the first.
        runs: whether a turn was begun then, and is under way.
    """
    if voice_ms == begun_at_ms:
        return ""
    if runs:
        return "drop"
    return "start" if quiet_ms >= pause_ms else ""


def has_spare_slots(loads: Mapping[Service, ServiceLoad]) -> bool:
    """Return whether no service has work that waits, or as many calls as leave no slot to spare.

    A pick decides for each call; this keeps the first stages from working for one that has no slot.
    """
    return all(
        not load.waiting and load.in_flight < max(1, load.slots * SPARE_SLOTS_RATIO)
        for load in loads.values()
    )


class WasteBudget:
    """LLM calls that one front may make for speech that goes on, as a share of all LLM calls.

    Each speculation is paid before it begins, and gets its price back where its call was not wasted. The
    first ones are free, so that the share is exceeded by these at most.
    """

    def __init__(self) -> None:
        """Begin with the price of the first ones."""
        self._saved = FIRST_SAVED
        self._noted = 0

    def note_call(self, share: float) -> None:
        """Count a call for a turn; `share` of all calls may be wasted, above 0 and below 1."""
        self._saved = min(self._saved + share / (1 - share), _MAX_SAVED)
        self._noted += 1

    def take_noted(self) -> int:
        """Return how many calls were noted since this was last asked."""
        noted, self._noted = self._noted, 0
        return noted

    def try_spend(self) -> bool:
        """Return whether a speculation may begin, and pay for it."""
        # Five fifths are one, in spite of floating point.
        if self._saved < 1.0 - 1e-9:
            return False
        self._saved -= 1.0
        return True

    def pay_back(self) -> None:
        """Give a price back: the call was that of a turn, or there was none."""
        self._saved += 1.0

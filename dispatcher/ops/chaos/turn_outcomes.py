"""Outcomes of the turns of a chaos test, as the devices heard them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self, TypeAlias, get_args

# apologised: the front said that it has no answer · cut: the answer broke off · silent: nothing was heard
# at all · disconnected: the connection broke before anything was heard · refused: no front let the device in;
# of the last two the device's own display tells.
Outcome: TypeAlias = Literal["answered", "apologised", "cut", "silent", "disconnected", "refused"]
# Five times the target of `first_audio_p95` (docs/kpis.md).
LATE_MS: Final = 5_000.0
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTurn:
    """One turn of one device; both times are Unix time.

    Attributes:
        asked_at_s: when the user was done speaking, or wanted to begin where no front was there.
        first_audio_ms: after that; None where nothing was heard.
        repeated_sentences: sentences of the answer that were spoken a second time.
        reason: why it is not answered; empty where it is.
    """

    device: int
    asked_at_s: float
    ended_at_s: float
    outcome: Outcome
    first_audio_ms: float | None = None
    gaps: int = 0
    repeated_sentences: int = 0
    reason: str = ""

    @property
    def is_failed(self) -> bool:
        """Whether the user went without an answer; an apology is none."""
        return self.outcome != "answered"

    @property
    def is_late(self) -> bool:
        """Whether the user heard something, but only after a wait in which most ask again."""
        return (self.first_audio_ms or 0.0) > LATE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time of one fault, up to the next one; Unix time.

    Attributes:
        fault: its name; "none" for the time before the first.
        what: what was done, in words.
        undone_at_s: when its cause was taken away; what was killed was started again.
        back_s: from the begin until what was killed or stopped ran again and every instance was usable; None
            where nothing went away, or it did not come back.
        well_s: from then until every part ran, every instance was usable and every device had been answered
            again; None where that did not come in time.
        skipped: why it could not be tried; empty where it was.
    """

    fault: str
    what: str
    began_at_s: float
    undone_at_s: float
    ended_at_s: float
    back_s: float | None = None
    well_s: float | None = 0.0
    skipped: str = ""

    @classmethod
    def begun(cls, fault: str, what: str = "", *, skipped: str = "") -> Self:
        """Return a window that begins now."""
        now_s = time.time()
        return cls(
            fault=fault, what=what, began_at_s=now_s, undone_at_s=now_s, ended_at_s=now_s, skipped=skipped
        )

    def of(self, turns: Sequence[DeviceTurn]) -> list[DeviceTurn]:
        """Return the turns that ended in it: the next one begins when all have got over this one."""
        return [turn for turn in turns if self.began_at_s <= turn.ended_at_s < self.ended_at_s]


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Whether parts of the stack went away, and when all were back: seconds from the begin of a fault."""

    went_away: bool = False
    back_s: float | None = None

    def seen(self, *, is_whole: bool, after_s: float) -> Presence:
        """Return it after one more look."""
        if not is_whole:
            return Presence(went_away=True)
        if self.went_away and self.back_s is None:
            return Presence(went_away=True, back_s=after_s)
        return self


def count(turns: Sequence[DeviceTurn]) -> dict[Outcome, int]:
    """Return how many turns had each outcome."""
    counted = Counter(turn.outcome for turn in turns)
    return {outcome: counted[outcome] for outcome in OUTCOMES}


def failover_s(window: Window, turns: Sequence[DeviceTurn]) -> float:
    """Return the time from the begin of a fault to the end of the last turn that it failed; 0 without one."""
    failed = [turn.ended_at_s for turn in window.of(turns) if turn.is_failed]
    return max(0.0, max(failed, default=window.began_at_s) - window.began_at_s)


def error_ratio(turns: Sequence[DeviceTurn]) -> float | None:
    """Return the share of turns without an answer, 0..1; None of no turns."""
    return sum(turn.is_failed for turn in turns) / len(turns) if turns else None


def slowest_s(turns: Sequence[DeviceTurn]) -> float | None:
    """Return the first audio that came latest after its question; None where nothing was heard."""
    heard_ms = [turn.first_audio_ms for turn in turns if turn.first_audio_ms is not None]
    return max(heard_ms) / 1000 if heard_ms else None

"""Samples of the turns of a bench, and their statistics."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from dispatcher.device_simulator import TurnResult
from dispatcher.percentile import percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSample:
    """One answered turn; times in ms after the end of speech."""

    transcript_ms: float
    first_audio_ms: float
    end_ms: float
    gaps: int = 0
    gap_ms: float = 0.0
    late: int = 0
    dropped: int = 0
    frames: int = 0

    @classmethod
    def of(cls, result: TurnResult) -> Self | None:
        """Return the sample of a device's turn; None when it was not answered."""
        if result.transcript_ms is None or result.first_audio_ms is None:
            return None
        return cls(
            transcript_ms=result.transcript_ms,
            first_audio_ms=result.first_audio_ms,
            end_ms=result.end_ms,
            gaps=result.gaps,
            gap_ms=result.gap_ms,
            late=result.late,
            dropped=result.dropped,
            frames=result.frames,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Result of a measuring process.

    Attributes:
        turns: measured and answered.
        lost: reasons of the turns that were not answered, the warming ones among them.
        all_turns: how many were tried in all; the divisor of CPU.
        cpu_s: of the process itself, from its first turn to its last.
    """

    turns: tuple[TurnSample, ...]
    lost: tuple[str, ...]
    all_turns: int
    cpu_s: float

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Return the samples that a process of ours printed."""
        turns = tuple(TurnSample(**turn) for turn in fields["turns"])
        return cls(**{**fields, "turns": turns, "lost": tuple(fields["lost"])})

    def values(self, name: str) -> list[float]:
        """Return one field of every turn."""
        return [float(getattr(turn, name)) for turn in self.turns]

    def percentile(self, name: str, share: float) -> float:
        """Return a percentile of one field; NaN without turns."""
        found = percentile(self.values(name), share)
        return math.nan if found is None else found

    @property
    def gap_ratio(self) -> float:
        """Share of turns with a silence inside the reply, 0..1."""
        return sum(turn.gaps > 0 for turn in self.turns) / len(self.turns) if self.turns else 0.0

    def total(self, name: str) -> int:
        """Return the sum of a count over the turns."""
        return sum(int(getattr(turn, name)) for turn in self.turns)


def merge(parts: Iterable[Samples]) -> Samples:
    """Return several results as one."""
    taken = list(parts)
    return Samples(
        turns=tuple(turn for part in taken for turn in part.turns),
        lost=tuple(reason for part in taken for reason in part.lost),
        all_turns=sum(part.all_turns for part in taken),
        cpu_s=sum(part.cpu_s for part in taken),
    )

"""Plan of a chaos test: which faults come, when, and for how long."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Self

from dispatcher.ops.chaos.faults import DEFAULT_FAULTS, FAULTS

# The shortest time shows what a fault costs that is over at once; the longest pause is a turn or two.
SHORTEST_FAULT_S: Final = 0.5
LONGEST_PAUSE_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledFault:
    """A fault that is to come after a pause, and is left in place for `lasts_s`."""

    name: str
    pause_s: float
    lasts_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyPlan:
    """Extent of a run.

    Attributes:
        baseline_s: how long the devices talk with nothing broken.
        fault_s: how long each fault is left in place; at most, where a seed draws it.
        well_within_s: time-out of the recovery after each.
        total_s: what has not begun by then is left out.
        seed: draws order, moments and length of the faults, and all of them come again and again; None lets
            each come once, one after the other.
        most_faults: so many are drawn by a seed; None for no end.
    """

    names: tuple[str, ...] = DEFAULT_FAULTS
    devices: int = 8
    baseline_s: float = 40.0
    fault_s: float = 15.0
    well_within_s: float = 45.0
    total_s: float = 540.0
    seed: int | None = None
    most_faults: int | None = None

    @classmethod
    def of(cls, names: Sequence[str], devices: int | None, *, quick: bool) -> Self:
        """Return the plan of a command line."""
        if not quick:
            return cls(names=tuple(names), devices=devices or 8)
        return cls(names=tuple(names), devices=devices or 4, baseline_s=4.0, fault_s=4.0, well_within_s=40.0)

    def schedule(self) -> Iterator[ScheduledFault]:
        """Return the faults in their order: without end where a seed draws them and no number is set."""
        if self.seed is None:
            for name in self.names:
                yield ScheduledFault(name=name, pause_s=0.0, lasts_s=self.fault_s)
            return
        yield from islice(self._drawn(random.Random(self.seed)), self.most_faults)  # noqa: S311  moments, not secrets

    def _drawn(self, rng: random.Random) -> Iterator[ScheduledFault]:
        while self.names:
            # A whole deck before any comes again.
            for name in rng.sample(self.names, len(self.names)):
                pause_s = rng.uniform(0, LONGEST_PAUSE_S)
                lasts_s = rng.uniform(SHORTEST_FAULT_S, self.fault_s)
                yield ScheduledFault(name=name, pause_s=pause_s, lasts_s=lasts_s)


def parse_names(text: str) -> Sequence[str]:
    """Return "kill,slow" as names of faults, in the order of the table; an empty text is the default ones.

    Raises:
        ValueError: one is not known; the message names those that are.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in FAULTS]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such fault; expected some of {', '.join(FAULTS)}")
    return [name for name in FAULTS if name in words] or DEFAULT_FAULTS

"""TunerEvidence in few words, and ticks of a tuner whose clock a test moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dispatcher.control.rules.evidence import (
    InstanceEvidence,
    Measures,
    Sample,
    TunerEvidence,
    WorkerEvidence,
)
from dispatcher.control.rules.tuner_state import TunerDecision, TunerState
from dispatcher.control.rules.tuner_step import TunerTick
from dispatcher.messages import TunerMode

TICK_S = 60.0
WELL = Measures(errors=0.0, memory=0.5, response=400.0, cpu=0.3)


def llm(name: str, **fields: Any) -> InstanceEvidence:
    """Return an LLM instance elsewhere, in use, of eight slots."""
    known: dict[str, Any] = {"is_local": False, "is_usable": True, "cap": 8, "error_ratio": 0.0}
    return InstanceEvidence(service="llm", name=name, **{**known, **fields})


def worker(name: str, *, pool: int = 8, megabytes: int | None = None) -> WorkerEvidence:
    """Return a worker of the queue that its name begins with."""
    held = None if megabytes is None else megabytes * 1_000_000
    return WorkerEvidence(name=name, queue=name.partition("@")[0], pool=pool, memory_bytes=held)


def evidence(measures: Measures = WELL, **fields: Any) -> TunerEvidence:
    """Return evidence with enough calls to count."""
    return TunerEvidence(**{"at_s": 0.0, "calls": 100, "measures": measures, **fields})


def samples(*measures: Measures, every_s: float = TICK_S) -> tuple[Sample, ...]:
    """Return a history, oldest first."""
    return tuple(Sample(at_s=(at + 1) * every_s, measures=each) for at, each in enumerate(measures))


class Ticking:
    """A tuner that is ticked by hand, and all that it decided."""

    def __init__(self, mode: TunerMode = "act", state: TunerState | None = None) -> None:
        """Begin an hour into the day."""
        self.now = 3600.0
        self.mode = mode
        self.state = state or TunerState()
        self.decisions: list[TunerDecision] = []

    def sees(self, seen: TunerEvidence, *, ticks: int = 1) -> list[TunerDecision]:
        """Tick once a minute on the same evidence; return what was decided meanwhile."""
        before = len(self.decisions)
        for _ in range(ticks):
            self.now += TICK_S
            self.state, decided = self.tick.step(self.state, replace(seen, at_s=self.now))
            self.decisions += decided
        return self.decisions[before:]

    @property
    def tick(self) -> TunerTick:
        """The moment that it is now."""
        return TunerTick(now_s=self.now, mode=self.mode)

    @property
    def events(self) -> list[str]:
        """What happened so far, in order."""
        return [decision.event for decision in self.decisions]

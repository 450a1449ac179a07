"""Who tunes the host: nobody, the rules of R12 to the letter, or ours; and how long the KPIs are missed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from dispatcher.control.rules.evidence import Measures, TunerEvidence
from dispatcher.control.rules.tuner_state import TunerState
from dispatcher.control.rules.tuner_step import TunerTick
from tests.simulation.tuned_host import CAPS, POOL, STEP_S, TORN_DOWN_S, Moment, SimulatedHost, Trouble

HOURS: Final = 12
PEAK: Final = Trouble(from_min=120, until_min=180, devices=40)
SLOW: Final = Trouble(from_min=240, until_min=300, slowness=4.0)
LEAK: Final = Trouble(from_min=0, until_min=HOURS * 60, leak_per_h=0.10)
OUTAGE: Final = Trouble(from_min=360, until_min=420, failing=0.4)
EVENING: Final = Trouble(from_min=480, until_min=600, devices=20)
TROUBLES: Final = {
    "none": (),
    "load peak": (PEAK,),
    "slow instance": (SLOW,),
    "memory leak": (LEAK,),
    "outage of 40 %": (OUTAGE,),
    "a day of all, and a busy evening": (PEAK, SLOW, LEAK, OUTAGE, EVENING),
}


class Tuner(Protocol):
    """Whoever turns the host's settings, once a minute."""

    def tune(self, host: SimulatedHost, seen: TunerEvidence) -> int:
        """Do what it likes; return how many things it changed."""


class Nobody:
    """The host as it was configured."""

    def tune(self, host: SimulatedHost, seen: TunerEvidence) -> int:  # noqa: ARG002  nobody looks
        """Change nothing."""
        return 0


class Literal:
    """R12 to the letter: every action of every rule that fires, each minute, never undone."""

    def tune(self, host: SimulatedHost, seen: TunerEvidence) -> int:
        """Apply each rule whose number is over its limit in this very minute."""
        measures, changed = seen.measures, 0
        if (measures.cpu or 0) > 0.85:  # more instances, fewer threads, throttle
            host.settings["cap llm/remote"] = min(
                CAPS["remote"], host.number("cap llm/remote", CAPS["remote"]) + 1
            )
            host.settings["pool llm"] = max(2, host.number("pool llm", POOL) - 1)
            host.settings["admission max_devices"] = max(5, (seen.devices or 30) * 9 // 10)
            changed += 3
        if (measures.memory or 0) > 0.90:  # clear the cache, restart heavy services, smaller buffers
            host.restart(lasts_s=TORN_DOWN_S)
            host.settings["buffer reply_kept_s"] = 1.0
            changed += 2
        if (measures.response or 0) > 1000:  # local models, larger cache, upkeep of the database
            host.settings.update({"prefer llm/local": "high", "prefer llm/remote": "low"})
            changed += 2
        if (measures.errors or 0) > 0.05:  # restart what fails, backup providers, fewer at once
            host.restart(lasts_s=TORN_DOWN_S)
            host.settings.update({"prefer llm/local": "low", "prefer llm/remote": "high"})
            host.settings["pool llm"] = max(2, host.number("pool llm", POOL) - 1)
            changed += 3
        return changed


class Ours:
    """The tuner of the product."""

    def __init__(self) -> None:
        """Begin without any memory."""
        self.state = TunerState()

    def tune(self, host: SimulatedHost, seen: TunerEvidence) -> int:
        """Take one step and do what it says."""
        self.state, decisions = TunerTick(now_s=host.now_s).step(self.state, seen)
        acts = [decision.act for decision in decisions if decision.act is not None]
        for act in acts:
            host.apply(act)
        return len(acts)


TUNERS: Final[dict[str, Callable[[], Tuner]]] = {"nobody": Nobody, "R12 to the letter": Literal, "ours": Ours}


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Runs of one trouble under one tuner, all taken together.

    Attributes:
        outside_ratio: share of the time in which any KPI was missed.
        after_ratio: the same over the last hour, when all trouble but a leak is long over.
        changes: what the tuner did, on average of a run.
    """

    outside_ratio: float
    after_ratio: float
    changes: float


def run_days(troubles: Sequence[Trouble], make: Callable[[], Tuner], seeds: Sequence[int]) -> Days:
    """Return how it went, over all seeds."""
    outside, after, changes = [], [], 0
    for seed in seeds:
        missed, changed = _run(troubles, make(), seed)
        outside += missed
        after += missed[-int(3600 / STEP_S) :]
        changes += changed
    return Days(
        outside_ratio=sum(outside) / len(outside),
        after_ratio=sum(after) / len(after),
        changes=changes / len(seeds),
    )


def _run(troubles: Sequence[Trouble], tuner: Tuner, seed: int) -> tuple[list[bool], int]:
    host = SimulatedHost(troubles=troubles, dice=random.Random(seed))
    missed, changed = [], 0
    for _ in range(HOURS * 60):
        minute = [host.step() for _ in range(int(60 / STEP_S))]
        missed += [misses_a_kpi(moment) for moment in minute]
        changed += tuner.tune(host, host.evidence(minute))
    return missed, changed


def misses_a_kpi(moment: Moment) -> bool:
    """Tell whether an alert bound of R13 is passed; a device that is not let in gets no answer either."""
    measures: Measures = moment.measures
    return (
        (measures.response or 0) > 1000
        or (measures.errors or 0) + moment.turned_away > 0.05
        or (measures.cpu or 0) > 0.90
        or (measures.memory or 0) > 0.95
    )


def table(seeds: Sequence[int]) -> list[str]:
    """Return the table of docs/tuner.md, a line each."""
    lines = [
        "| trouble | who tunes | outside the KPIs % | in the last hour % | actions a run |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, troubles in TROUBLES.items():
        for who, make in TUNERS.items():
            days = run_days(troubles, make, seeds)
            lines.append(
                f"| {name} | {who} | {days.outside_ratio * 100:.1f} | {days.after_ratio * 100:.1f} "
                f"| {days.changes:.1f} |"
            )
    return lines

"""Evaluation of a window: every KPI in the time of a fault, by the rules of the control worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, cast

from dispatcher.catalogue.kpi_targets import KpiTargets
from dispatcher.kpis.kpi_rules import MIN_TURNS, InstanceFault, Kpi, KpiFacts, TurnFacts, evaluate_kpis
from dispatcher.kpis.shares import BY_WEIGHT, ShareGroup, ShareMember, ShareWindow, measured_window
from dispatcher.messages import Algorithm
from dispatcher.ops.chaos.turn_outcomes import (
    DeviceTurn,
    Outcome,
    Window,
    count,
    error_ratio,
    failover_s,
    slowest_s,
)
from dispatcher.routing.overview import InstanceView, Overview, ServiceView

Verdict: TypeAlias = Literal["pass", "over target", "alert", "not judged"]

# A smooth round robin is off by one call of an instance at most: 20 rounds show 5 %.
UNHEALTHY_STATES: Final = ("down", "ejected", "failing")
SHARE_ROUNDS: Final = 20
FAILOVER_GOAL_S: Final = 2.0
PASSED: Final = "pass"
BASELINE: Final = "none"
# A front that cannot say goodbye.
FRONT_LOSSES: Final = ("front-kill", "stopped-front")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSample:
    """Load of the host and the devices at one moment; None is unknown."""

    at_s: float
    cpu_ratio: float | None
    memory_ratio: float | None
    network_ratio: float | None
    busy_devices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSnapshot:
    """Redis at the end of a window.

    Attributes:
        turns: those that fronts noted in it.
        load: one every few seconds.
        before: the instances at its begin, `after` at its end.
        down_before: what was down before the run began, and is not counted against any fault.
    """

    turns: Sequence[TurnFacts]
    load: Sequence[LoadSample]
    before: Overview
    after: Overview
    down_before: frozenset[str] = frozenset()

    @property
    def unhealthy(self) -> tuple[str, ...]:
        """Instances that were not well at its end, though they were when the run began."""
        return tuple(
            one.name
            for one in self.after.instances
            if one.state in UNHEALTHY_STATES and one.name not in self.down_before
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One window with its figures.

    Attributes:
        figures: every figure, in the order of docs/kpis.md.
        slowest_s: the first audio that came latest, as a device heard it; None where nothing was heard.
        late: turns whose first audio came after more than `LATE_MS`.
        repeated: turns in which a sentence was spoken twice.
    """

    window: Window
    counts: Mapping[Outcome, int]
    failover_s: float
    figures: tuple[Kpi, ...]
    slowest_s: float | None = None
    late: int = 0
    repeated: int = 0

    @property
    def failed_turns(self) -> int:
        """How many turns went without an answer."""
        return sum(self.counts.values()) - self.counts["answered"]

    @property
    def problems(self) -> list[str]:
        """What makes the run fail, in words."""
        if self.window.skipped:
            return []
        silent = self.counts["silent"]
        found = [f"{silent} silent turn{'s' if silent > 1 else ''}"] if silent else []
        if self.counts["disconnected"] and self.window.fault not in FRONT_LOSSES:
            found.append(f"{self.counts['disconnected']} connections broke in a turn")
        if self.repeated:
            found.append(f"{self.repeated} turns were spoken twice")
        if self.window.well_s is None:
            found.append("not well again in time")
        failover = self.figure("failover")
        if verdict_of(failover) in ("over target", "alert"):
            found.append(f"failover took {self.failover_s:.1f} s")
        if self.window.fault == BASELINE:
            found += [f"{kpi.name} beyond its alert" for kpi in self.figures if verdict_of(kpi) == "alert"]
        return found

    @property
    def verdict(self) -> str:
        """The window in a word or two: its problems, errors beyond their alert, or "pass"."""
        if self.problems:
            return "; ".join(self.problems)
        return "errors in alert" if verdict_of(self.figure("errors")) == "alert" else PASSED

    def figure(self, name: str) -> Kpi:
        """Return one figure by its name."""
        return next(kpi for kpi in self.figures if kpi.name == name)


def evaluate(
    window: Window, heard: Sequence[DeviceTurn], observed: WindowSnapshot, targets: KpiTargets
) -> Evaluation:
    """Return the evaluation of one window."""
    turns = window.of(heard)
    lasted_s = failover_s(window, heard)
    facts = KpiFacts(
        now_s=window.ended_at_s,
        turns=observed.turns,
        faults=tuple(_faults(observed.after, window)),
        unhealthy=observed.unhealthy,
        busy_devices=max((sample.busy_devices for sample in observed.load), default=None),
        devices=len({turn.device for turn in turns}),
        windows=tuple(share for each in observed.after.services if (share := _share(observed, each, window))),
        cpu_ratio=_mean([sample.cpu_ratio for sample in observed.load]),
        memory_ratio=_mean([sample.memory_ratio for sample in observed.load]),
        network_ratio=_mean([sample.network_ratio for sample in observed.load]),
    )
    figures = tuple(_as_heard(kpi, turns, lasted_s) for kpi in evaluate_kpis(facts, targets))
    return Evaluation(
        window=window,
        counts=count(turns),
        failover_s=lasted_s,
        figures=figures,
        slowest_s=slowest_s(turns),
        late=sum(turn.is_late for turn in turns),
        repeated=sum(turn.repeated_sentences > 0 for turn in turns),
    )


def _as_heard(kpi: Kpi, turns: Sequence[DeviceTurn], lasted_s: float) -> Kpi:
    """Return a figure by what devices heard: of a silence, or a device turned away, no front knows."""
    if kpi.name == "failover":
        return replace(kpi, value=lasted_s, detail=f"goal {FAILOVER_GOAL_S:g} s")
    if kpi.name == "errors":
        failed = sum(turn.is_failed for turn in turns)
        detail = f"{failed} of {len(turns)} turns"
        return replace(kpi, value=error_ratio(turns), detail=detail, judged=len(turns) >= MIN_TURNS)
    return kpi


def verdict_of(kpi: Kpi) -> Verdict:
    """Return how a figure stands against its target and its alert bound."""
    if kpi.value is None or not kpi.judged:
        return "not judged"
    if kpi.alert is not None and kpi.value > kpi.alert:
        return "alert"
    return "pass" if kpi.value <= kpi.target else "over target"


def worst(evaluations: Sequence[Evaluation], name: str) -> tuple[Kpi, str] | None:
    """Return the worst value of a figure, and the fault of that time; None where nobody could."""
    known = [
        (kpi, each.window.fault)
        for each in evaluations
        if not each.window.skipped and verdict_of(kpi := each.figure(name)) != "not judged"
    ]
    return max(known, key=lambda pair: pair[0].value or 0.0, default=None)


def _faults(overview: Overview, window: Window) -> list[InstanceFault]:
    return [
        InstanceFault(instance=one.name, began_at_s=one.fault_began_at_s, last_at_s=one.fault_at_s)
        for one in overview.instances
        if one.fault_began_at_s is not None
        and one.fault_at_s is not None
        and one.fault_at_s >= window.began_at_s
    ]


def _share(observed: WindowSnapshot, service: ServiceView, window: Window) -> ShareWindow | None:
    """Return the shares of the calls in a window, where weights alone decided and calls were enough."""
    members = [one for one in service.instances if one.is_usable]
    if service.algorithm not in BY_WEIGHT or len(members) < 2 or len({one.priority for one in members}) > 1:
        return None
    if any((one.fault_at_s or 0.0) >= window.began_at_s for one in members):
        return None  # it was spared while it failed, as it should be
    before = {one.name: one for each in observed.before.services for one in each.instances}
    began = [before[one.name] for one in members if one.name in before]
    if len(began) < len(members):
        return None
    return measured_window(_group(service, began), _group(service, members), rounds=SHARE_ROUNDS)


def _group(service: ServiceView, members: Sequence[InstanceView]) -> ShareGroup:
    return ShareGroup(
        service=service.service,
        priority=members[0].priority,
        algorithm=cast("Algorithm", service.algorithm),
        members=tuple(
            ShareMember(name=one.name, weight=one.effective_weight, calls=one.calls) for one in members
        ),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None

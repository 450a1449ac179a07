"""The figures that say how well the whole does, each with its target and its alert bound.

What each one means and how it is measured is in docs/kpis.md; ratios are 0..1 and times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dispatcher.catalogue.model import Bound, KpiTargets
from dispatcher.kpis.shares import ShareWindow, worst_deviation

KpiName = Literal[
    "share",
    "instances_healthy",
    "failover",
    "own_share",
    "first_audio_p50",
    "first_audio_p95",
    "devices",
    "errors",
    "cpu",
    "memory",
    "network",
    "disk",
]
Unit = Literal["ratio", "s", "count"]

# One bad turn of three is no error ratio: what turns say is shown from the first and judged from the tenth.
MIN_TURNS: Final = 10
# A turn that a fault hurt ends, with its apology, some time after the last call that failed.
HURT_FOR_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """One figure as of now.

    Attributes:
        value: ratio 0..1, seconds or a count; None where nothing is known, which is not 0.
        target: good up to here.
        alert: an alert above this; None where the figure is only shown.
        window_s: how far back it looks; None for what holds at this moment.
        judged: False while it rests on too little to alarm anybody.
        detail: what it is made of, in words.
    """

    name: KpiName
    unit: Unit
    value: float | None
    target: float
    alert: float | None
    window_s: float | None = None
    judged: bool = True
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFacts:
    """One finished turn.

    Attributes:
        outcome: the front's word: answered, cut, apologised, spoken over, nothing said, device left.
        asked: the user said something that was understood, or typed it.
        first_audio_s: from the end of speech to the first packet; None where none was sent.
        instances_s: what of that the instances took; None where a stage did not say.
    """

    ended_at_s: float
    outcome: str
    asked: bool
    first_audio_s: float | None
    instances_s: float | None

    @property
    def counts(self) -> bool:
        """Whether anybody could expect an answer: not after silence, nor after going away."""
        return self.outcome != "device left" and (self.asked or self.outcome != "nothing said")

    @property
    def is_error(self) -> bool:
        """Whether the user was left without a whole audible answer; an apology is none."""
        return self.counts and self.outcome in ("apologised", "cut", "nothing said")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFault:
    """Calls to one instance that failed, none long after the one before."""

    instance: str
    began_at_s: float
    last_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiFacts:
    """All that is judged, gathered at one moment.

    Attributes:
        now_s: Unix time, like every `_at_s` here.
        turns: those that ended within the window.
        unhealthy: names of the instances that are ejected or fail their checks; None where none is known.
        busy_devices: in a turn or listening, over all fronts; None where no front says.
        devices: connected, over all fronts.
        windows: the share of the calls that instances got, for each service and priority.
        disk_ratio: how full the disk of DATA_DIR is, 1 where nothing can be written.
        disk_trouble: why nothing can be written; empty where all is well.
    """

    now_s: float
    turns: Sequence[TurnFacts] = ()
    faults: Sequence[InstanceFault] = ()
    unhealthy: Sequence[str] | None = None
    busy_devices: int | None = None
    devices: int = 0
    windows: Sequence[ShareWindow] = ()
    cpu_ratio: float | None = None
    memory_ratio: float | None = None
    network_ratio: float | None = None
    disk_ratio: float | None = None
    disk_trouble: str = ""


def evaluate_kpis(facts: KpiFacts, targets: KpiTargets) -> tuple[Kpi, ...]:
    """Return every figure, in the order in which they are shown."""
    return (
        _share(facts, targets.share),
        _instances_healthy(facts),
        _failover(facts, targets),
        *_response(facts.turns, targets),
        _devices(facts, targets.devices),
        _errors(facts.turns, targets),
        _of_box("cpu", facts.cpu_ratio, targets.cpu),
        _of_box("memory", facts.memory_ratio, targets.memory),
        _of_box("network", facts.network_ratio, targets.network),
        *_disk(facts, targets.disk),
    )


def percentile(values: Sequence[float], ratio: float) -> float | None:
    """Return the smallest value that so many of them do not exceed (nearest rank); None of no values."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(ratio * len(values)) - 1)]


def _share(facts: KpiFacts, bound: Bound) -> Kpi:
    return Kpi(
        name="share",
        unit="ratio",
        value=worst_deviation(facts.windows),
        target=bound.target,
        alert=bound.alert,
        detail="; ".join(window.in_words for window in facts.windows if window.in_words),
    )


def _instances_healthy(facts: KpiFacts) -> Kpi:
    out = facts.unhealthy
    return Kpi(
        name="instances_healthy",
        unit="count",
        value=None if out is None else len(out),
        target=0,
        alert=0,
        detail=", ".join(out or ()),
    )


def _failover(facts: KpiFacts, targets: KpiTargets) -> Kpi:
    """Judge the longest time from the first failed call of a fault to the last turn that it hurt."""
    hurt = [turn for turn in facts.turns if turn.is_error]
    recent = [fault for fault in facts.faults if facts.now_s - fault.last_at_s <= targets.window_s]
    lasted = {fault.instance: _hurt_for_s(fault, hurt) for fault in recent}
    longest = max(lasted, key=lambda name: lasted[name], default=None)
    return Kpi(
        name="failover",
        unit="s",
        value=None if longest is None else lasted[longest],
        target=targets.failover.target,
        alert=targets.failover.alert,
        window_s=targets.window_s,
        detail=longest or "no fault in the window",
    )


def _hurt_for_s(fault: InstanceFault, hurt: Sequence[TurnFacts]) -> float:
    ends = [turn.ended_at_s for turn in hurt]
    last = max((at for at in ends if fault.began_at_s <= at <= fault.last_at_s + HURT_FOR_S), default=None)
    return 0.0 if last is None else last - fault.began_at_s


def _response(turns: Sequence[TurnFacts], targets: KpiTargets) -> tuple[Kpi, ...]:
    whole = [turn.first_audio_s for turn in turns if turn.first_audio_s is not None]
    own = [
        max(0.0, turn.first_audio_s - turn.instances_s)
        for turn in turns
        if turn.first_audio_s is not None and turn.instances_s is not None
    ]

    def figure(name: KpiName, values: Sequence[float], ratio: float, bound: Bound, detail: str = "") -> Kpi:
        return Kpi(
            name=name,
            unit="s",
            value=percentile(values, ratio),
            target=bound.target,
            alert=bound.alert,
            window_s=targets.window_s,
            judged=len(values) >= MIN_TURNS,
            detail=detail,
        )

    shown = {name: percentile(own, ratio) for name, ratio in (("p50", 0.50), ("p95", 0.95))}
    spread = ", ".join(f"{name} {value * 1000:.0f} ms" for name, value in shown.items() if value is not None)
    return (
        figure("own_share", own, 0.99, targets.own_share, spread),
        figure("first_audio_p50", whole, 0.50, targets.first_audio_p50),
        figure("first_audio_p95", whole, 0.95, targets.first_audio_p95),
    )


def _devices(facts: KpiFacts, bound: Bound) -> Kpi:
    return Kpi(
        name="devices",
        unit="count",
        value=facts.busy_devices,
        target=bound.target,
        alert=bound.alert,
        detail=f"{facts.devices} connected",
    )


def _errors(turns: Sequence[TurnFacts], targets: KpiTargets) -> Kpi:
    counted = _count(turns, lambda turn: turn.counts)
    errors = _count(turns, lambda turn: turn.is_error)
    cut = _count(turns, lambda turn: turn.outcome == "cut")
    return Kpi(
        name="errors",
        unit="ratio",
        value=errors / counted if counted else None,
        target=targets.errors.target,
        alert=targets.errors.alert,
        window_s=targets.window_s,
        judged=counted >= MIN_TURNS,
        detail=f"{errors} of {counted} turns" + (f", {cut} cut off" if cut else ""),
    )


def _count(turns: Sequence[TurnFacts], wanted: Callable[[TurnFacts], bool]) -> int:
    return sum(1 for turn in turns if wanted(turn))


def _disk(facts: KpiFacts, bound: Bound) -> tuple[Kpi, ...]:
    """Judge the disk where there is one to speak of."""
    if facts.disk_ratio is None:
        return ()
    detail = f"{facts.disk_trouble}: logs and records are not kept" if facts.disk_trouble else ""
    return (
        Kpi(
            name="disk",
            unit="ratio",
            value=facts.disk_ratio,
            target=bound.target,
            alert=bound.alert,
            detail=detail,
        ),
    )


def _of_box(name: Literal["cpu", "memory", "network"], ratio: float | None, bound: Bound) -> Kpi:
    return Kpi(name=name, unit="ratio", value=ratio, target=bound.target, alert=bound.alert)

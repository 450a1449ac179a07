"""KPIs: a table with a row for each, its unit, its bounds and the function that measures it.

A new KPI is a row of `KPIS` and one function; its bounds are a field of `KpiTargets` (section `kpis` of the
YAML), its name a value of `KpiName`, its meaning a line of docs/kpis.md. Ratios are 0..1, times are seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, NamedTuple

from dispatcher.catalogue.kpi_targets import Bound, KpiTargets
from dispatcher.kpis.shares import ShareWindow, worst_deviation
from dispatcher.percentile import percentile

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

# One bad turn of three is no error ratio: KPIs of turns are shown from the first and judged from the tenth.
MIN_TURNS: Final = 10
# The bound of a KPI that the YAML has none for: a single one is an alert.
NOT_ONE: Final = Bound(target=0, alert=0)
# A turn that a fault cost its answer ends, with its apology, some time after the last call that failed.
FAULT_TAIL_S: Final = 30.0


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
        outcome: the front's word: answered, cut, apologised, turned away, spoken over, nothing said, device
            left.
        asked: the user said something that was understood, or typed it.
        first_audio_s: from the end of speech, as it was found, to the first packet; None where none was sent.
        instances_s: what of that the instances took; None where a stage did not say.
        silence_s: from the true end of speech until it was found; 0 where the device sent it.
    """

    ended_at_s: float
    outcome: str
    asked: bool
    first_audio_s: float | None
    instances_s: float | None
    silence_s: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether anybody could expect an answer: not after silence, nor after going away."""
        return self.outcome != "device left" and (self.asked or self.outcome != "nothing said")

    @property
    def is_turned_away(self) -> bool:
        """Whether the user was told that there are too many: nothing is broken that could be mended."""
        return self.outcome == "turned away"

    @property
    def is_error(self) -> bool:
        """Whether the user was left without a whole audible answer; an apology is none."""
        return self.counts and self.outcome in ("apologised", "turned away", "cut", "nothing said")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """One KPI as measured; None where nothing is known, which is not 0.

    Attributes:
        allowance: of the value nobody is to blame for so much; the bounds of the YAML come on top of it.
    """

    value: float | None
    allowance: float = 0.0
    judged: bool = True
    detail: str = ""


class _KpiRow(NamedTuple):
    """One row of the table.

    Attributes:
        measure: returns the KPI, or None where there is none to speak of.
        is_windowed: it looks back over the window of turns.
    """

    name: KpiName
    unit: Unit
    measure: Callable[[KpiFacts, KpiTargets], _Measured | None]
    is_windowed: bool = False

    def evaluate(self, facts: KpiFacts, targets: KpiTargets) -> Kpi | None:
        measured = self.measure(facts, targets)
        if measured is None:
            return None
        bound: Bound = getattr(targets, self.name, NOT_ONE)
        return Kpi(
            name=self.name,
            unit=self.unit,
            value=measured.value,
            target=bound.target + measured.allowance,
            alert=None if bound.alert is None else bound.alert + measured.allowance,
            window_s=targets.window_s if self.is_windowed else None,
            judged=measured.judged,
            detail=measured.detail,
        )


def evaluate_kpis(facts: KpiFacts, targets: KpiTargets) -> tuple[Kpi, ...]:
    """Return every KPI, in the order in which they are shown."""
    found = (row.evaluate(facts, targets) for row in KPIS)
    return tuple(kpi for kpi in found if kpi is not None)


def _share(facts: KpiFacts, _: KpiTargets) -> _Measured:
    detail = "; ".join(window.in_words for window in facts.windows if window.in_words)
    return _Measured(value=worst_deviation(facts.windows), detail=detail)


def _instances_healthy(facts: KpiFacts, _: KpiTargets) -> _Measured:
    out = facts.unhealthy
    return _Measured(value=None if out is None else len(out), detail=", ".join(out or ()))


def _failover(facts: KpiFacts, targets: KpiTargets) -> _Measured:
    """Measure the longest time from the first failed call of a fault to the last turn that it cost."""
    lost_at_s = [turn.ended_at_s for turn in facts.turns if turn.is_error]
    recent = [fault for fault in facts.faults if facts.now_s - fault.last_at_s <= targets.window_s]
    lasted_s = {fault.instance: _lasted_s(fault, lost_at_s) for fault in recent}
    longest = max(lasted_s, key=lambda name: lasted_s[name], default=None)
    if longest is None:
        return _Measured(value=None, detail="no fault in the window")
    return _Measured(value=lasted_s[longest], detail=longest)


def _lasted_s(fault: InstanceFault, lost_at_s: Sequence[float]) -> float:
    until_s = fault.last_at_s + FAULT_TAIL_S
    last_s = max((at_s for at_s in lost_at_s if fault.began_at_s <= at_s <= until_s), default=None)
    return 0.0 if last_s is None else last_s - fault.began_at_s


def _own_share(facts: KpiFacts, _: KpiTargets) -> _Measured:
    own_s = [
        max(0.0, turn.first_audio_s - turn.instances_s)
        for turn in facts.turns
        if turn.first_audio_s is not None and turn.instances_s is not None
    ]
    shown = {name: percentile(own_s, ratio) for name, ratio in (("p50", 0.50), ("p95", 0.95))}
    spread = ", ".join(f"{name} {value * 1000:.0f} ms" for name, value in shown.items() if value is not None)
    return _Measured(value=percentile(own_s, 0.99), judged=len(own_s) >= MIN_TURNS, detail=spread)


def _first_audio(ratio: float, facts: KpiFacts, _: KpiTargets) -> _Measured:
    found = [turn for turn in facts.turns if turn.first_audio_s is not None]
    whole_s = [turn.silence_s + (turn.first_audio_s or 0) for turn in found]
    silence_s = percentile([turn.silence_s for turn in found], 0.5) or 0.0
    return _Measured(
        value=percentile(whole_s, ratio),
        allowance=silence_s,
        judged=len(whole_s) >= MIN_TURNS,
        detail=f"of it {silence_s * 1000:.0f} ms of silence" if silence_s else "",
    )


def _devices(facts: KpiFacts, _: KpiTargets) -> _Measured:
    return _Measured(value=facts.busy_devices, detail=f"{facts.devices} connected")


def _errors(facts: KpiFacts, _: KpiTargets) -> _Measured:
    counted = sum(turn.counts for turn in facts.turns)
    errors = sum(turn.is_error for turn in facts.turns)
    cut = sum(turn.outcome == "cut" for turn in facts.turns)
    return _Measured(
        value=errors / counted if counted else None,
        judged=counted >= MIN_TURNS,
        detail=f"{errors} of {counted} turns" + (f", {cut} cut off" if cut else ""),
    )


def _disk(facts: KpiFacts, _: KpiTargets) -> _Measured | None:
    if facts.disk_ratio is None:
        return None
    detail = f"{facts.disk_trouble}: logs and records are not kept" if facts.disk_trouble else ""
    return _Measured(value=facts.disk_ratio, detail=detail)


def _host_ratio(field: str, facts: KpiFacts, _: KpiTargets) -> _Measured:
    return _Measured(value=getattr(facts, field))


KPIS: Final = (
    _KpiRow("share", "ratio", _share),
    _KpiRow("instances_healthy", "count", _instances_healthy),
    _KpiRow("failover", "s", _failover, is_windowed=True),
    _KpiRow("own_share", "s", _own_share, is_windowed=True),
    _KpiRow("first_audio_p50", "s", partial(_first_audio, 0.50), is_windowed=True),
    _KpiRow("first_audio_p95", "s", partial(_first_audio, 0.95), is_windowed=True),
    _KpiRow("devices", "count", _devices),
    _KpiRow("errors", "ratio", _errors, is_windowed=True),
    _KpiRow("cpu", "ratio", partial(_host_ratio, "cpu_ratio")),
    _KpiRow("memory", "ratio", partial(_host_ratio, "memory_ratio")),
    _KpiRow("network", "ratio", partial(_host_ratio, "network_ratio")),
    _KpiRow("disk", "ratio", _disk),
)

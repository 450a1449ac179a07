"""A small model of a host for the tuner: devices, one queue, two instances, CPU, memory, in virtual time.

It is no copy of the product. It has what the rules of R12 act on, with the couplings that make them
contradict each other: pools cost CPU and memory, work done here costs CPU, a restart costs answers.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dispatcher.control.rules.actions import Action, Setting
from dispatcher.control.rules.evidence import InstanceEvidence, Measures, TunerEvidence, WorkerEvidence
from dispatcher.messages import Priority

STEP_S: Final = 10.0
TURNS_PER_DEVICE_S: Final = 1 / 20
POOL: Final = 8
# As in R5: the own model first, the provider when that is full or out.
CAPS: Final = {"local": 8, "remote": 3}
PRIORITIES: Final[Mapping[str, Priority]] = {"local": "high", "remote": "low"}
_OVERRIDES: Final[Mapping[str, Priority]] = {"high": "high", "low": "low"}
RANK: Final = {"high": 0, "normal": 1, "low": 2}
SERVICE_S: Final = {"local": 0.55, "remote": 0.45}
CPU_PER_TURN_S: Final = {"local": 0.25, "remote": 0.08}
LONGEST_S: Final = 10.0
# A worker that ends by itself lets its calls end; one that is torn down loses them while it starts.
DRAINED_S, TORN_DOWN_S, KILLED_S = 0.0, 10.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What befalls the host from one minute to another.

    Attributes:
        devices: more of them. slowness: the own model takes so many times as long.
        failing: share of its calls that fail. leak_per_h: share of all memory.
    """

    from_min: float
    until_min: float
    devices: int = 0
    slowness: float = 1.0
    failing: float = 0.0
    leak_per_h: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What holds during ten seconds; `turned_away` is the share of devices that were not let in."""

    measures: Measures
    turned_away: float
    shares: Mapping[str, float]
    queued: int
    devices: int


@dataclass(slots=True)
class SimulatedHost:
    """The host, stepped every ten seconds."""

    troubles: Sequence[Trouble]
    dice: random.Random
    now_s: float = 0.0
    settings: dict[str, Setting] = field(default_factory=dict)
    leaked: float = 0.0
    away_until_s: float = 0.0

    def apply(self, action: Action) -> None:
        """Do what an action of ours says."""
        if action.kind == "restart":
            self.restart(lasts_s=DRAINED_S)
        for change in action.changes:
            self.settings[f"{action.kind} {change.what}"] = change.after

    def restart(self, *, lasts_s: float) -> None:
        """Begin with fresh memory, without answers for some seconds."""
        self.leaked = 0.0
        self.away_until_s = max(self.away_until_s, self.now_s + lasts_s)

    def number(self, name: str, default: float) -> float:
        """Return a setting, or what holds without it."""
        value = self.settings.get(name)
        return default if value is None else float(value)

    def step(self) -> Moment:
        """Let ten seconds pass."""
        self.now_s += STEP_S
        now = self.trouble()
        self.leaked += now.leak_per_h * STEP_S / 3600
        wanted = 30 + now.devices
        devices = min(wanted, self.number("admission max_devices", 500))
        demand = devices * TURNS_PER_DEVICE_S * self.dice.lognormvariate(0, 0.1)
        moment = self._moment(now, demand, devices, turned_away=1 - devices / wanted)
        if (moment.measures.memory or 0) >= 1:
            self.restart(lasts_s=KILLED_S)
        return moment

    def trouble(self) -> Trouble:
        """Return all that befalls the host at this moment, taken together."""
        minute = self.now_s / 60
        now = [each for each in self.troubles if each.from_min <= minute < each.until_min]
        return Trouble(
            from_min=0,
            until_min=0,
            devices=sum(each.devices for each in now),
            slowness=max((each.slowness for each in now), default=1.0),
            failing=max((each.failing for each in now), default=0.0),
            leak_per_h=sum(each.leak_per_h for each in now),
        )

    def _moment(self, now: Trouble, demand: float, devices: float, *, turned_away: float) -> Moment:
        times = {**SERVICE_S, "local": SERVICE_S["local"] * now.slowness}
        shares = self._shares(demand, times)
        pool, slots = self.number("pool llm", POOL), sum(self._cap(name) for name in CAPS)
        cpu = 0.12 + 0.008 * pool + demand * sum(shares[name] * CPU_PER_TURN_S[name] for name in CAPS)
        service_s = sum(shares[name] * times[name] for name in CAPS) / max(0.2, 1 - max(0.0, cpu - 0.8))
        busy = demand * service_s / min(pool, slots)
        waits_s = service_s * busy**4 / (1 - busy) if busy < 0.98 else LONGEST_S
        failed = shares["local"] * now.failing
        return Moment(
            measures=Measures(
                errors=1.0 if self.now_s < self.away_until_s else failed,
                memory=min(1.0, 0.62 + self.leaked + 0.003 * pool + 0.001 * devices - self._saved()),
                response=min(LONGEST_S, service_s + waits_s) * 1000 * self.dice.lognormvariate(0, 0.1),
                cpu=min(1.0, cpu * self.dice.lognormvariate(0, 0.05)),
            ),
            turned_away=turned_away,
            shares=shares,
            queued=int(max(0.0, busy - 0.9) * 20),
            devices=int(devices),
        )

    def _saved(self) -> float:
        return 0.02 if self.settings.get("buffer reply_kept_s") else 0.0

    def _cap(self, name: str) -> float:
        return min(CAPS[name], self.number(f"cap llm/{name}", CAPS[name]))

    def _priority(self, name: str) -> str:
        return str(self.settings.get(f"prefer llm/{name}") or PRIORITIES[name])

    def _shares(self, demand: float, times: Mapping[str, float]) -> dict[str, float]:
        """Return the share of calls of each instance: by priority, each up to four fifths of its cap."""
        left, taken = demand, dict.fromkeys(CAPS, 0.0)
        for name in sorted(CAPS, key=lambda each: RANK[self._priority(each)]):
            taken[name] = min(left, 0.8 * self._cap(name) / times[name])
            left -= taken[name]
        taken["local"] += left
        return {name: taken[name] / demand for name in CAPS}

    def evidence(self, moments: list[Moment]) -> TunerEvidence:
        """Return what the tuner would be told of the last minute."""
        last, count = moments[-1], len(moments)
        now = self.trouble()
        return TunerEvidence(
            at_s=self.now_s,
            calls=100,
            measures=_mean([moment.measures for moment in moments]),
            instances=(
                self._instance(
                    "local", SERVICE_S["local"] * now.slowness, now.failing if last.shares["local"] else None
                ),
                self._instance("remote", SERVICE_S["remote"], 0.0 if last.shares["remote"] else None),
            ),
            workers=(
                WorkerEvidence(
                    name="llm@host",
                    queue="llm",
                    pool=int(self.number("pool llm", POOL)),
                    memory_bytes=int(1e9 * (0.1 + self.leaked)),
                ),
            ),
            queued=(("llm", sum(moment.queued for moment in moments) // count),),
            devices=last.devices,
            device_limit=int(self.number("admission max_devices", 0)) or None,
            reply_kept_s=self.number("buffer reply_kept_s", 0) or None,
            supervised=True,
            missing=tuple((kind, "none here") for kind in ("records", "worker", "clear_cache")),
        )

    def _instance(self, name: str, takes_s: float, error_ratio: float | None) -> InstanceEvidence:
        override = self.settings.get(f"prefer llm/{name}")
        limit = self.number(f"cap llm/{name}", 0)
        return InstanceEvidence(
            service="llm",
            name=name,
            is_local=name == "local",
            is_usable=True,
            cap=CAPS[name],
            cap_limit=int(limit) or None,
            priority=PRIORITIES[name],
            priority_override=_OVERRIDES.get(str(override)),
            in_flight=1,
            latency_ms=takes_s * 1000,
            error_ratio=error_ratio,
        )


def _mean(measures: list[Measures]) -> Measures:
    def of(values: list[float | None]) -> float:
        known = [value for value in values if value is not None]
        return sum(known) / len(known)

    return Measures(
        errors=of([each.errors for each in measures]),
        memory=of([each.memory for each in measures]),
        response=of([each.response for each in measures]),
        cpu=of([each.cpu for each in measures]),
    )

"""Soak: a stack is held at a load for a while, faults come now and then, and it stops by itself."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import mean
from typing import Final, Self

import psutil

from dispatcher.host_metrics.host import HostMeter
from dispatcher.ops.chaos.environment import Environment
from dispatcher.ops.chaos.fault_run import FaultRun, beside, open_run
from dispatcher.ops.chaos.faults import DEFAULT_FAULTS, FAULTS
from dispatcher.ops.chaos.soak_rules import (
    SoakFigures,
    SoakSample,
    next_devices,
    soak_figures,
    soak_problems,
)
from dispatcher.ops.chaos.soak_totals import read_totals
from dispatcher.ops.chaos.turn_outcomes import DeviceTurn, Window
from dispatcher.redis_client.client import RedisClient
from dispatcher.settings import load_settings
from dispatcher.supervisor.state_file import find_up

# Refusals of an overload and a full disk are what they are meant to be, and say nothing of availability.
LEFT_OUT: Final = ("overload", "disk")
FIRST_DEVICES: Final = 4
MOST_DEVICES: Final = 200
SAMPLE_INTERVAL_S: Final = 1.0
RECOVERY_TIMEOUT_S: Final = 45.0
FAULTS_PER_RUN: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakPlan:
    """Extent of a soak.

    Attributes:
        total_s: how long it lasts; the recovery from a last fault may take 45 s more.
        step_s: how often the number of devices is set.
        fault_every_s: from the begin of one fault to that of the next.
        fault_s: how long each is left in place.
    """

    total_s: float
    names: tuple[str, ...]
    most_devices: int = MOST_DEVICES
    step_s: float = 5.0
    fault_every_s: float = 300.0
    fault_s: float = 15.0

    @property
    def first_devices(self) -> int:
        """How many talk at the start."""
        return min(FIRST_DEVICES, self.most_devices)

    @classmethod
    def of(cls, minutes: float, names: Sequence[str], devices: int | None, *, quick: bool) -> Self:
        """Return the plan of a command line; without names all faults but an overload and a full disk."""
        total_s = 60 * minutes
        return cls(
            total_s=total_s,
            names=tuple(n for n in names if tuple(names) != DEFAULT_FAULTS or n not in LEFT_OUT),
            most_devices=devices or MOST_DEVICES,
            step_s=2.0 if quick else 5.0,
            fault_every_s=min(300.0, max(10.0 if quick else 45.0, total_s / FAULTS_PER_RUN)),
            fault_s=4.0 if quick else 15.0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakReport:
    """The whole run; times are Unix time."""

    plan: SoakPlan
    began_at_s: float
    ended_at_s: float
    samples: tuple[SoakSample, ...]
    faults: tuple[Window, ...]
    turns: tuple[DeviceTurn, ...]
    figures: SoakFigures

    @property
    def problems(self) -> list[str]:
        """What makes the run fail, in words."""
        return soak_problems(self.figures, self.faults, lasted_s=self.ended_at_s - self.began_at_s)


async def run_soak(
    redis: RedisClient, environment: Environment, plan: SoakPlan, report: Callable[[str], None]
) -> SoakReport:
    """Hold a stack at its load until the time is over; every fault is undone, whatever happens.

    Raises:
        StartError: no stack of this environment allows it.
        StateError: Redis is out of reach before the first fault.
    """
    began_at_s = time.time()
    # Whether devices are answered is the availability of a soak, and no part of a recovery.
    async with open_run(
        redis, environment, devices=plan.first_devices, faults=FAULTS, needs_answers=False, report=report
    ) as opened:
        soak = Soak(opened, plan)
        await opened.system.record_down()
        sampling = opened.sample(soak.sample, every_s=SAMPLE_INTERVAL_S)
        async with opened.devices.talking(opened.system.session), beside(sampling, soak.hold()):
            await soak.inject_faults(until_s=began_at_s + plan.total_s)
    turns = tuple(opened.devices.turns)
    return SoakReport(
        plan=plan,
        began_at_s=began_at_s,
        ended_at_s=time.time(),
        samples=tuple(soak.samples),
        faults=tuple(soak.faults),
        turns=turns,
        figures=soak_figures(soak.samples, turns, began_at_s=began_at_s),
    )


class Soak:
    """One run.

    Attributes:
        samples: one a second. faults: those that came.
    """

    def __init__(self, opened: FaultRun, plan: SoakPlan) -> None:
        """Inject nothing yet."""
        self.samples: list[SoakSample] = []
        self.faults: list[Window] = []
        self._run = opened
        self._devices = opened.devices
        self._plan = plan
        self._is_held = True
        self._meter = HostMeter()
        data_dir = load_settings().data_dir
        self._data_dir = data_dir if find_up(data_dir) else None

    async def sample(self) -> None:
        """Sample load and memory once.

        Raises:
            StateError: Redis is out of reach.
            StartError: nothing allows faults any more.
        """
        processes = await self._run.system.processes()
        pids = {(each.name, each.pid) for each in processes if each.pid is not None}
        totals = await read_totals(self._run.system.redis, (pid for _, pid in pids), self._data_dir)
        cpu_ratio = (await asyncio.to_thread(self._meter.sample)).cpu_ratio
        self.samples.append(
            SoakSample(
                at_s=time.time(),
                cpu_ratio=cpu_ratio,
                devices=self._devices.talkers,
                memory_bytes=await asyncio.to_thread(_memory, pids),
                totals=totals,
                is_held=self._is_held,
            )
        )

    async def hold(self) -> None:
        """Set the number of devices by the load of the last step, for ever; a fault leaves it as it is."""
        while True:
            begun_at_s = time.time()
            await asyncio.sleep(self._plan.step_s)
            load = [
                each.cpu_ratio
                for each in self.samples
                if each.at_s > begun_at_s and each.cpu_ratio is not None and each.is_held
            ]
            if load and self._is_held:
                wanted = next_devices(self._devices.talkers, mean(load), most=self._plan.most_devices)
                self._devices.resize(self._run.system.session, wanted)

    async def inject_faults(self, *, until_s: float) -> None:
        """Inject one fault after the other at its time, as many as fit before a Unix time; return then."""
        begins_at_s = time.time() + self._plan.fault_every_s
        for name in itertools.cycle(self._plan.names):
            if begins_at_s + self._plan.fault_s > until_s:
                break
            await asyncio.sleep(max(0.0, begins_at_s - time.time()))
            self._run.report(f"{self._state()}; {name} comes")
            self._is_held = False
            self.faults.append(
                await self._run.inject(name, lasts_s=self._plan.fault_s, well_within_s=RECOVERY_TIMEOUT_S)
            )
            self._is_held = True
            begins_at_s = max(begins_at_s + self._plan.fault_every_s, time.time())
        await asyncio.sleep(max(0.0, until_s - time.time()))

    def _state(self) -> str:
        cpu_ratio = self.samples[-1].cpu_ratio if self.samples else None
        load = "" if cpu_ratio is None else f" at {cpu_ratio:.0%} CPU"
        return f"{self._devices.talkers} devices{load}, {len(self._devices.turns)} turns"


def _memory(pids: set[tuple[str, int]]) -> dict[tuple[str, int], int]:
    found = {}
    for name, pid in pids:
        with suppress(psutil.Error):  # it has ended
            found[name, pid] = int(psutil.Process(pid).memory_info().rss)
    return found

"""Chaos test: devices talk, one fault after the other comes and goes, and all recovers between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final, Self

import aiohttp

from dispatcher.errors import StateError
from dispatcher.ops.chaos.environment import Environment
from dispatcher.ops.chaos.evaluation import BASELINE, Evaluation, LoadSample, WindowSnapshot, evaluate
from dispatcher.ops.chaos.faults import FAULTS, FaultContext
from dispatcher.ops.chaos.simulated_devices import SimulatedDevices
from dispatcher.ops.chaos.system_under_test import SystemUnderTest
from dispatcher.ops.chaos.turn_outcomes import DeviceTurn, Window
from dispatcher.ops.fault_switch import FaultUnavailable
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import Overview, read_overview
from dispatcher.supervisor import chaos_marker
from dispatcher.telemetry import front_presence, kpi_store, turn_log

LOAD_SAMPLE_INTERVAL_S: Final = 2.0
RECOVERY_POLL_INTERVAL_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyPlan:
    """Extent of a run.

    Attributes:
        baseline_s: how long the devices talk with nothing broken.
        fault_s: how long each fault is left in place.
        well_within_s: time-out of the recovery after each.
        total_s: what has not begun by then is left out.
    """

    names: tuple[str, ...] = tuple(FAULTS)
    devices: int = 8
    baseline_s: float = 40.0
    fault_s: float = 15.0
    well_within_s: float = 45.0
    total_s: float = 540.0

    @classmethod
    def of(cls, names: Sequence[str], devices: int | None, *, quick: bool) -> Self:
        """Return the plan of a command line."""
        if not quick:
            return cls(names=tuple(names), devices=devices or 8)
        return cls(names=tuple(names), devices=devices or 4, baseline_s=4.0, fault_s=4.0, well_within_s=40.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """The whole run; times are Unix time.

    Attributes:
        down_before: processes and instances that were down before it began; no fault is blamed for them.
    """

    plan: VerifyPlan
    began_at_s: float
    ended_at_s: float
    evaluations: tuple[Evaluation, ...]
    turns: tuple[DeviceTurn, ...]
    repeated: int
    down_before: tuple[str, ...] = ()

    @property
    def problems(self) -> list[str]:
        """What makes the run fail, in words."""
        return [f"{each.window.fault}: {problem}" for each in self.evaluations for problem in each.problems]


async def run(
    redis: RedisClient, environment: Environment, plan: VerifyPlan, report: Callable[[str], None]
) -> VerifyReport:
    """Inject every fault of a plan; whatever happens, what was done is undone.

    Raises:
        StartError: no stack of this environment allows it.
        StateError: Redis is out of reach before the first fault.
    """
    began_at_s = time.time()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        system = await SystemUnderTest.find(redis, session, environment)
        async with chaos_marker.exclusive_run(redis) as run_id:
            urls = await system.entry_urls()
            devices = SimulatedDevices(urls, plan.devices)
            test = ChaosTest(system, devices, plan, urls, report)
            async with test.sampling(run_id), devices.talking(session):
                report(f"{plan.devices} devices talk to {', '.join(urls)}; nothing is broken yet")
                if down := await system.record_down():
                    report(f"down before it began, and not counted: {', '.join(sorted(down))}")
                await test.run(until_s=began_at_s + plan.total_s)
    return VerifyReport(
        plan=plan,
        began_at_s=began_at_s,
        ended_at_s=time.time(),
        evaluations=tuple(test.evaluations),
        turns=tuple(devices.turns),
        repeated=devices.repeated,
        down_before=tuple(sorted(system.down_before)),
    )


class ChaosTest:
    """One fault after the other on one stack.

    Attributes:
        evaluations: of each window so far.
    """

    def __init__(
        self,
        system: SystemUnderTest,
        devices: SimulatedDevices,
        plan: VerifyPlan,
        entry_urls: tuple[str, ...],
        report: Callable[[str], None],
    ) -> None:
        """Inject nothing yet."""
        self.evaluations: list[Evaluation] = []
        self._system = system
        self._devices = devices
        self._plan = plan
        self._entry_urls = entry_urls
        self._report = report
        self._load: list[LoadSample] = []
        self._overview = Overview(services=(), queues={})

    async def run(self, *, until_s: float) -> None:
        """Let the devices talk with nothing broken, then inject each fault that fits before a Unix time."""
        await self._baseline()
        longest_s = self._plan.fault_s + self._plan.well_within_s
        for name in self._plan.names:
            if time.time() > until_s - longest_s:
                self._skip(name, "the time of the whole run is over")
            else:
                await self._attempt(name)

    async def _baseline(self) -> None:
        self._overview = await read_overview(self._system.redis)
        window = Window.begun(BASELINE, "nothing is broken")
        await asyncio.sleep(self._plan.baseline_s)
        await self._recover(window)

    async def _attempt(self, name: str) -> None:
        """Inject one fault, wait until all has recovered, and evaluate the time."""
        context = FaultContext(
            system=self._system,
            devices=self._devices,
            device_count=self._plan.devices,
            lasts_s=self._plan.fault_s,
            entry_urls=self._entry_urls,
        )
        window = Window.begun(name)
        try:
            async with FAULTS[name](context) as words:
                self._report(f"{name}: {words}")
                await asyncio.sleep(context.lasts_s)
        except (FaultUnavailable, StateError) as error:
            self._report(f"{name} is not tried: {error}")
            self._skip(name, str(error))
            return
        await self._recover(replace(window, what=words, undone_at_s=time.time()))

    def _skip(self, name: str, reason: str) -> None:
        """Note that a fault was not tried."""
        observed = WindowSnapshot(turns=(), load=(), before=self._overview, after=self._overview)
        self._evaluate(Window.begun(name, skipped=reason), observed)

    @asynccontextmanager
    async def sampling(self, run_id: str) -> AsyncGenerator[None]:
        """Sample the load, and keep other runs away, for as long as the block lasts."""
        task = asyncio.create_task(self._sample(run_id))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _recover(self, window: Window) -> None:
        """Wait until all has recovered, close the window and evaluate it."""
        since_s = time.time()
        deadline_s = since_s + self._plan.well_within_s
        is_recovered = False
        while not is_recovered and time.time() < deadline_s:
            await asyncio.sleep(RECOVERY_POLL_INTERVAL_S)
            are_answered = self._devices.all_answered_since(window.undone_at_s)
            is_recovered = are_answered and await self._system.is_recovered()
        now_s = time.time()
        closed = replace(window, ended_at_s=now_s, well_s=now_s - since_s if is_recovered else None)
        observed = await self._observed(closed)
        self._overview = observed.after
        self._evaluate(closed, observed)

    def _evaluate(self, window: Window, observed: WindowSnapshot) -> None:
        kpis = self._system.catalogue.kpis
        self.evaluations.append(evaluate(window, self._devices.turns, observed, kpis))

    async def _observed(self, window: Window) -> WindowSnapshot:
        redis = self._system.redis
        try:
            turns = await turn_log.read_since(redis, window.began_at_s)
            after = await read_overview(redis)
        except StateError:  # it did not come back: the turns of the devices show it
            turns, after = [], self._overview
        return WindowSnapshot(
            turns=turns,
            load=[sample for sample in self._load if sample.at_s >= window.began_at_s],
            before=self._overview,
            after=after,
            down_before=self._system.down_before,
        )

    async def _sample(self, run_id: str) -> None:
        while True:
            with suppress(StateError):  # a fault may take Redis away
                await chaos_marker.claim(self._system.redis, run_id)
                self._load.append(await sample_load(self._system.redis))
            await asyncio.sleep(LOAD_SAMPLE_INTERVAL_S)


async def sample_load(redis: RedisClient) -> LoadSample:
    """Return the load of the host as the control worker measures it, and how many devices are busy.

    Raises:
        StateError: Redis is out of reach.
    """
    kpis, counts = await asyncio.gather(kpi_store.read_snapshot(redis), front_presence.read_fronts(redis))
    host = kpis.box if kpis else None
    return LoadSample(
        at_s=time.time(),
        cpu_ratio=host.cpu_ratio if host else None,
        memory_ratio=host.memory_ratio if host else None,
        network_ratio=host.network_ratio if host else None,
        busy_devices=sum(each.busy for each in counts.values()),
    )


def parse_names(text: str) -> Sequence[str]:
    """Return "kill,slow" as names of faults, in the order of the table; an empty text is all of them.

    Raises:
        ValueError: one is not known; the message names those that are.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in FAULTS]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such fault; expected some of {', '.join(FAULTS)}")
    return [name for name in FAULTS if not words or name in words]

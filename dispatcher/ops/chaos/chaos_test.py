"""Chaos test: devices talk, one fault after the other comes and goes, and all recovers between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

import aiohttp

from dispatcher.errors import StateError
from dispatcher.ops.chaos.aftermath import Aftermath, count_lasting_keys, read_aftermath
from dispatcher.ops.chaos.chaos_plan import ScheduledFault, VerifyPlan
from dispatcher.ops.chaos.environment import Environment
from dispatcher.ops.chaos.evaluation import BASELINE, Evaluation, LoadSample, WindowSnapshot, evaluate
from dispatcher.ops.chaos.faults import FAULTS, FaultContext, Inject
from dispatcher.ops.chaos.simulated_devices import SimulatedDevices
from dispatcher.ops.chaos.system_under_test import SystemUnderTest
from dispatcher.ops.chaos.turn_outcomes import DeviceTurn, Presence, Window
from dispatcher.ops.fault_switch import FaultUnavailable
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import Overview, read_overview
from dispatcher.supervisor import chaos_marker
from dispatcher.telemetry import front_presence, kpi_store, turn_log

LOAD_SAMPLE_INTERVAL_S: Final = 2.0
RECOVERY_POLL_INTERVAL_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """The whole run; times are Unix time.

    Attributes:
        down_before: processes and instances that were down before it began; no fault is blamed for them.
        aftermath: what was left of it all when the devices had gone.
    """

    plan: VerifyPlan
    began_at_s: float
    ended_at_s: float
    evaluations: tuple[Evaluation, ...]
    turns: tuple[DeviceTurn, ...]
    repeated: int
    down_before: tuple[str, ...] = ()
    aftermath: Aftermath = field(default_factory=Aftermath)

    @property
    def problems(self) -> list[str]:
        """What makes the run fail, in words."""
        found = [f"{each.window.fault}: {problem}" for each in self.evaluations for problem in each.problems]
        return found + [f"at the end: {problem}" for problem in self.aftermath.problems]


async def run(
    redis: RedisClient,
    environment: Environment,
    plan: VerifyPlan,
    report: Callable[[str], None],
    *,
    faults: Mapping[str, Inject] = FAULTS,
) -> VerifyReport:
    """Inject the faults of a plan, by their names; whatever happens, what was done is undone.

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
            test = ChaosTest(system, devices, plan, entry_urls=urls, report=report, faults=faults)
            aftermath = await test.run(session, run_id, until_s=began_at_s + plan.total_s)
    return VerifyReport(
        plan=plan,
        began_at_s=began_at_s,
        ended_at_s=time.time(),
        evaluations=tuple(test.evaluations),
        turns=tuple(devices.turns),
        repeated=devices.repeated,
        down_before=tuple(sorted(system.down_before)),
        aftermath=aftermath,
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
        *,
        entry_urls: tuple[str, ...],
        report: Callable[[str], None],
        faults: Mapping[str, Inject],
    ) -> None:
        """Inject nothing yet."""
        self.evaluations: list[Evaluation] = []
        self._system = system
        self._devices = devices
        self._plan = plan
        self._entry_urls = entry_urls
        self._report = report
        self._faults = faults
        self._load: list[LoadSample] = []
        self._overview = Overview(services=(), queues={})

    async def run(self, session: aiohttp.ClientSession, run_id: str, *, until_s: float) -> Aftermath:
        """Let the devices talk while faults come and go, up to a Unix time; return what is left of it."""
        async with self.sampling(run_id):
            async with self._devices.talking(session):
                where = ", ".join(self._entry_urls)
                self._report(f"{self._plan.devices} devices talk to {where}; nothing is broken yet")
                if down := await self._system.record_down():
                    self._report(f"down before it began, and not counted: {', '.join(sorted(down))}")
                lasting_keys = await self._inject_all(until_s)
            return await read_aftermath(self._system, lasting_keys)

    async def _inject_all(self, until_s: float) -> dict[str, int]:
        """Inject each fault that fits; return the lasting keys that there were before the first one."""
        await self._baseline()
        lasting_keys = await count_lasting_keys(self._system.redis)
        for each in self._plan.schedule():
            left_s = until_s - time.time() - each.pause_s - each.lasts_s
            if self._plan.seed is not None and left_s < 0:
                break
            if self._plan.seed is None and left_s < self._plan.well_within_s:
                self._skip(each.name, "the time of the whole run is over")
                continue
            await asyncio.sleep(each.pause_s)
            await self._attempt(each)
        return lasting_keys

    async def _baseline(self) -> None:
        self._overview = await read_overview(self._system.redis)
        window = Window.begun(BASELINE, "nothing is broken")
        await asyncio.sleep(self._plan.baseline_s)
        await self._recover(window, Presence())

    async def _attempt(self, fault: ScheduledFault) -> None:
        """Inject one fault, wait until all has recovered, and evaluate the time."""
        context = FaultContext(
            system=self._system,
            devices=self._devices,
            device_count=self._plan.devices,
            lasts_s=fault.lasts_s,
            entry_urls=self._entry_urls,
        )
        window = Window.begun(fault.name)
        try:
            async with self._faults[fault.name](context) as words:
                self._report(f"{fault.name}: {words}")
                presence = await self._watch(fault.lasts_s)
        except (FaultUnavailable, StateError) as error:
            self._report(f"{fault.name} is not tried: {error}")
            self._skip(fault.name, str(error))
            return
        await self._recover(replace(window, what=words, undone_at_s=time.time()), presence)

    async def _watch(self, lasts_s: float) -> Presence:
        """Return whether something of the stack went away within so many seconds, and when all was back."""
        began_s = time.time()
        presence = Presence()
        while (left_s := began_s + lasts_s - time.time()) > 0:
            is_whole = await self._system.is_recovered()
            presence = presence.seen(is_whole=is_whole, after_s=time.time() - began_s)
            await asyncio.sleep(min(RECOVERY_POLL_INTERVAL_S, left_s))
        return presence

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

    async def _recover(self, window: Window, presence: Presence) -> None:
        """Wait until all has recovered, close the window and evaluate it."""
        since_s = time.time()
        deadline_s = since_s + self._plan.well_within_s
        is_recovered = False
        while not is_recovered and time.time() < deadline_s:
            await asyncio.sleep(RECOVERY_POLL_INTERVAL_S)
            are_answered = self._devices.all_answered_since(window.undone_at_s)
            is_whole = await self._system.is_recovered()
            presence = presence.seen(is_whole=is_whole, after_s=time.time() - window.began_at_s)
            is_recovered = are_answered and is_whole
        now_s = time.time()
        well_s = now_s - since_s if is_recovered else None
        closed = replace(window, ended_at_s=now_s, well_s=well_s, back_s=presence.back_s)
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

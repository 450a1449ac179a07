"""Chaos test: devices talk, one fault after the other comes and goes, and all recovers between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from dispatcher.errors import StateError
from dispatcher.ops.chaos.aftermath import Aftermath, count_lasting_keys, read_aftermath
from dispatcher.ops.chaos.chaos_plan import VerifyPlan
from dispatcher.ops.chaos.environment import Environment
from dispatcher.ops.chaos.evaluation import BASELINE, Evaluation, LoadSample, WindowSnapshot, evaluate
from dispatcher.ops.chaos.fault_run import FaultRun, beside, open_run
from dispatcher.ops.chaos.faults import FAULTS, Inject
from dispatcher.ops.chaos.turn_outcomes import DeviceTurn, Presence, Window
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import Overview, read_overview
from dispatcher.telemetry import front_presence, kpi_store, turn_log

LOAD_SAMPLE_INTERVAL_S: Final = 2.0


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
    async with open_run(
        redis, environment, devices=plan.devices, faults=faults, needs_answers=True, report=report
    ) as opened:
        test = ChaosTest(opened, plan)
        aftermath = await test.run(until_s=began_at_s + plan.total_s)
    return VerifyReport(
        plan=plan,
        began_at_s=began_at_s,
        ended_at_s=time.time(),
        evaluations=tuple(test.evaluations),
        turns=tuple(opened.devices.turns),
        repeated=opened.devices.repeated,
        down_before=tuple(sorted(opened.system.down_before)),
        aftermath=aftermath,
    )


class ChaosTest:
    """One fault after the other on one stack.

    Attributes:
        evaluations: of each window so far.
    """

    def __init__(self, opened: FaultRun, plan: VerifyPlan) -> None:
        """Inject nothing yet."""
        self.evaluations: list[Evaluation] = []
        self._run = opened
        self._system = opened.system
        self._plan = plan
        self._load: list[LoadSample] = []
        self._overview = Overview(services=(), queues={})

    async def run(self, *, until_s: float) -> Aftermath:
        """Let the devices talk while faults come and go, up to a Unix time; return what is left of it."""
        async with beside(self._run.sample(self._sample, every_s=LOAD_SAMPLE_INTERVAL_S)):
            async with self._run.devices.talking(self._system.session):
                where = ", ".join(self._run.entry_urls)
                self._run.report(f"{self._plan.devices} devices talk to {where}; nothing is broken yet")
                if down := await self._system.record_down():
                    self._run.report(f"down before it began, and not counted: {', '.join(sorted(down))}")
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
                await self._evaluate(Window.begun(each.name, skipped="the time of the whole run is over"))
                continue
            await asyncio.sleep(each.pause_s)
            within_s = self._plan.well_within_s
            window = await self._run.inject(each.name, lasts_s=each.lasts_s, well_within_s=within_s)
            await self._evaluate(window)
        return lasting_keys

    async def _baseline(self) -> None:
        self._overview = await read_overview(self._system.redis)
        window = Window.begun(BASELINE, "nothing is broken")
        await asyncio.sleep(self._plan.baseline_s)
        await self._evaluate(await self._run.recover(window, Presence(), within_s=self._plan.well_within_s))

    async def _evaluate(self, window: Window) -> None:
        observed = await self._observed(window)
        self._overview = observed.after
        kpis = self._system.catalogue.kpis
        self.evaluations.append(evaluate(window, self._run.devices.turns, observed, kpis))

    async def _observed(self, window: Window) -> WindowSnapshot:
        """Return what Redis holds of a window; nothing of one that was skipped."""
        redis = self._system.redis
        if window.skipped:
            return WindowSnapshot(turns=(), load=(), before=self._overview, after=self._overview)
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

    async def _sample(self) -> None:
        """Note the load of the host as the control worker measures it, and how many devices are busy."""
        redis = self._system.redis
        kpis, counts = await asyncio.gather(kpi_store.read_snapshot(redis), front_presence.read_fronts(redis))
        host = kpis.box if kpis else None
        sample = LoadSample(
            at_s=time.time(),
            cpu_ratio=host.cpu_ratio if host else None,
            memory_ratio=host.memory_ratio if host else None,
            network_ratio=host.network_ratio if host else None,
            busy_devices=sum(each.busy for each in counts.values()),
        )
        self._load.append(sample)

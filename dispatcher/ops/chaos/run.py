"""The run: devices talk, one fault after the other comes and goes, and everything gets well between them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

import aiohttp

from dispatcher.errors import StartError, StateError
from dispatcher.ops.chaos.environment import Ground, NotHere
from dispatcher.ops.chaos.evaluation import BASELINE, Judged, Look, Seen, judge_window
from dispatcher.ops.chaos.faults import FAULTS, Fault, Scene
from dispatcher.ops.chaos.simulated_devices import SimulatedDevices
from dispatcher.ops.chaos.system_under_test import Target
from dispatcher.ops.chaos.turn_outcomes import TurnHeard, Window
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import Overview, read_overview
from dispatcher.supervisor import chaos_marker
from dispatcher.telemetry import front_presence, kpi_store, turn_log

LOOK_EVERY_S: Final = 2.0
ASK_AGAIN_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyPlan:
    """What to try.

    Attributes:
        baseline_s: how long the devices talk with nothing broken.
        fault_s: how long each fault is left in place.
        well_within_s: how long is waited until all is well again.
        total_s: what has not begun by then is left out.
    """

    names: tuple[str, ...] = tuple(FAULTS)
    devices: int = 8
    baseline_s: float = 40.0
    fault_s: float = 15.0
    well_within_s: float = 45.0
    total_s: float = 540.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """The whole run; times are Unix time.

    Attributes:
        down_before: parts and instances that were down before it began; no fault is blamed for them.
    """

    plan: VerifyPlan
    began_at_s: float
    ended_at_s: float
    judged: tuple[Judged, ...]
    turns: tuple[TurnHeard, ...]
    repeated: int
    down_before: tuple[str, ...] = ()

    @property
    def problems(self) -> list[str]:
        """What makes the run fail, in words."""
        return [f"{each.window.fault}: {problem}" for each in self.judged for problem in each.problems]


async def run(
    redis: RedisClient, ground: Ground, plan: VerifyPlan, tell: Callable[[str], None]
) -> VerifyReport:
    """Try every fault of a plan; whatever happens, what was done is undone.

    Raises:
        StartError: no stack on this ground allows it.
        StateError: Redis is out of reach before anything was tried.
    """
    began_at_s = time.time()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        target = await Target.find(redis, session, ground)
        who = uuid.uuid4().hex
        if not await chaos_marker.claim(redis, who):
            raise StartError("another `dispatcher verify` runs on this Redis; wait for its end")
        doors = await target.doors()
        household = SimulatedDevices(doors, plan.devices)
        experiment = Experiment(target, household, plan, doors)
        async with experiment.watching(who), household.living(session):
            tell(f"{plan.devices} devices talk to {', '.join(doors)}; nothing is broken yet")
            if down := await target.note_down():
                tell(f"down before it began, and not counted: {', '.join(sorted(down))}")
            await experiment.baseline()
            for fault in [FAULTS[name] for name in plan.names]:
                if time.time() - began_at_s > plan.total_s - plan.fault_s - plan.well_within_s:
                    experiment.skip(fault, "the time of the whole run is over")
                    continue
                await experiment.attempt(fault, tell)
    return experiment.report(began_at_s)


class Experiment:
    """One fault after the other on one stack.

    Attributes:
        judged: each window with its figures.
    """

    def __init__(
        self, target: Target, household: SimulatedDevices, plan: VerifyPlan, doors: tuple[str, ...]
    ) -> None:
        """Try nothing yet."""
        self.judged: list[Judged] = []
        self._target = target
        self._household = household
        self._plan = plan
        self._doors = doors
        self._looks: list[Look] = []
        self._overview = Overview(services=(), queues={})

    async def baseline(self) -> None:
        """Let the devices talk with nothing broken, until each was answered."""
        self._overview = await read_overview(self._target.redis)
        began_at_s = time.time()
        await asyncio.sleep(self._plan.baseline_s)
        window = Window(
            fault=BASELINE,
            what="nothing is broken",
            began_at_s=began_at_s,
            undone_at_s=began_at_s,
            ended_at_s=began_at_s,
        )
        await self._get_well(replace(window, undone_at_s=time.time() - self._plan.baseline_s))

    async def attempt(self, fault: Fault, tell: Callable[[str], None]) -> None:
        """Try one fault, wait until all is well again, and judge the time."""
        scene = Scene(
            target=self._target,
            residents=self._household,
            devices=self._plan.devices,
            lasts_s=self._plan.fault_s * fault.lasts_ratio,
            doors=self._doors,
        )
        began_at_s = time.time()
        try:
            async with fault.inject(scene) as what:
                tell(f"{fault.name}: {what}")
                await asyncio.sleep(scene.lasts_s)
        except (NotHere, StateError) as error:
            tell(f"{fault.name} is not tried: {error}")
            self.skip(fault, str(error))
            return
        window = Window(
            fault=fault.name, what=what, began_at_s=began_at_s, undone_at_s=time.time(), ended_at_s=began_at_s
        )
        await self._get_well(window)

    def skip(self, fault: Fault, reason: str) -> None:
        """Note that a fault was not tried."""
        now_s = time.time()
        window = Window(
            fault=fault.name, what="", began_at_s=now_s, undone_at_s=now_s, ended_at_s=now_s, skipped=reason
        )
        seen = Seen(turns=(), looks=(), before=self._overview, after=self._overview)
        self.judged.append(judge_window(window, (), seen, self._target.catalogue.kpis))

    def report(self, began_at_s: float) -> VerifyReport:
        """Return the result of a run that began at this time and ends now."""
        return VerifyReport(
            plan=self._plan,
            began_at_s=began_at_s,
            ended_at_s=time.time(),
            judged=tuple(self.judged),
            turns=tuple(self._household.turns),
            repeated=self._household.repeated,
            down_before=tuple(sorted(self._target.down_before)),
        )

    @asynccontextmanager
    async def watching(self, who: str) -> AsyncGenerator[None]:
        """Look at the box and the devices, and keep other runs away, for as long as the block lasts."""
        task = asyncio.create_task(self._watch(who))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            with suppress(StateError):
                await chaos_marker.release(self._target.redis, who)

    async def _get_well(self, window: Window) -> None:
        """Wait until all is well, close the window and judge it."""
        since_s = time.time()
        give_up_at_s = since_s + self._plan.well_within_s
        is_well = False
        while not is_well and time.time() < give_up_at_s:
            await asyncio.sleep(ASK_AGAIN_S)
            is_well = await self._is_well(window.undone_at_s)
        ended_at_s = time.time()
        closed = replace(window, ended_at_s=ended_at_s, well_s=ended_at_s - since_s if is_well else None)
        seen = await self._seen(closed)
        self._overview = seen.after
        figures = judge_window(closed, self._household.turns, seen, self._target.catalogue.kpis)
        self.judged.append(figures)

    async def _is_well(self, since_s: float) -> bool:
        return self._household.all_answered_since(since_s) and await self._target.is_well()

    async def _seen(self, window: Window) -> Seen:
        redis = self._target.redis
        try:
            turns = await turn_log.read_since(redis, window.began_at_s)
            after = await read_overview(redis)
        except StateError:  # it did not come back: what devices heard says so
            turns, after = [], self._overview
        looks = [look for look in self._looks if look.at_s >= window.began_at_s]
        down_before = self._target.down_before
        return Seen(turns=turns, looks=looks, before=self._overview, after=after, down_before=down_before)

    async def _watch(self, who: str) -> None:
        while True:
            with suppress(StateError):  # a fault may take Redis away
                await chaos_marker.claim(self._target.redis, who)
                self._looks.append(await look(self._target.redis))
            await asyncio.sleep(LOOK_EVERY_S)


async def look(redis: RedisClient) -> Look:
    """Return the box as the control worker sees it, and how many devices are busy.

    Raises:
        StateError: Redis is out of reach.
    """
    board, counts = await asyncio.gather(kpi_store.read_snapshot(redis), front_presence.read_fronts(redis))
    box = board.box if board else None
    return Look(
        at_s=time.time(),
        cpu_ratio=box.cpu_ratio if box else None,
        memory_ratio=box.memory_ratio if box else None,
        network_ratio=box.network_ratio if box else None,
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

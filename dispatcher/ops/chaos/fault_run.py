"""Run of faults on one stack: each is injected, undone, and waited for until all has recovered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import aiohttp

from dispatcher.errors import StartError, StateError
from dispatcher.ops.chaos.environment import Environment
from dispatcher.ops.chaos.faults import FaultContext, Inject
from dispatcher.ops.chaos.simulated_devices import SimulatedDevices
from dispatcher.ops.chaos.system_under_test import SystemUnderTest
from dispatcher.ops.chaos.turn_outcomes import Presence, Window
from dispatcher.ops.fault_switch import FaultUnavailable
from dispatcher.redis_client.client import RedisClient
from dispatcher.supervisor import chaos_marker

RECOVERY_POLL_INTERVAL_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRun:
    """Stack that gets faults, and the devices that talk to it; made by `open_run`.

    Attributes:
        entry_urls: where devices connect.
        run_id: of this run, for the marker that keeps other runs away.
        faults: by their names.
        needs_answers: a recovery includes an answer to every device.
        report: prints a line.
    """

    system: SystemUnderTest
    devices: SimulatedDevices
    entry_urls: tuple[str, ...]
    run_id: str
    faults: Mapping[str, Inject]
    needs_answers: bool
    report: Callable[[str], None]

    async def inject(self, name: str, *, lasts_s: float, well_within_s: float) -> Window:
        """Inject one fault and wait until all has recovered; return its time, or why it was skipped."""
        context = FaultContext(
            system=self.system,
            devices=self.devices,
            device_count=self.devices.talkers,
            lasts_s=lasts_s,
            entry_urls=self.entry_urls,
        )
        window = Window.begun(name)
        try:
            async with self.faults[name](context) as words:
                self.report(f"{name}: {words}")
                presence = await self._watch(lasts_s)
        except (FaultUnavailable, StateError) as error:
            self.report(f"{name} is not tried: {error}")
            return Window.begun(name, skipped=str(error))
        undone = replace(window, what=words, undone_at_s=time.time())
        return await self.recover(undone, presence, within_s=well_within_s)

    async def recover(self, window: Window, presence: Presence, *, within_s: float) -> Window:
        """Wait until all has recovered, and return the window, closed."""
        since_s = time.time()
        is_recovered = False
        while not is_recovered and time.time() < since_s + within_s:
            await asyncio.sleep(RECOVERY_POLL_INTERVAL_S)
            are_answered = not self.needs_answers or self.devices.all_answered_since(window.undone_at_s)
            is_whole = await self.system.is_recovered()
            presence = presence.seen(is_whole=is_whole, after_s=time.time() - window.began_at_s)
            is_recovered = are_answered and is_whole
        now_s = time.time()
        well_s = now_s - since_s if is_recovered else None
        return replace(window, ended_at_s=now_s, well_s=well_s, back_s=presence.back_s)

    async def sample(self, take: Callable[[], Awaitable[None]], *, every_s: float) -> None:
        """Take a sample again and again, and keep other runs away, for ever."""
        while True:
            with suppress(StateError, StartError):  # a fault may take Redis away
                await chaos_marker.claim(self.system.redis, self.run_id)
                await take()
            await asyncio.sleep(every_s)

    async def _watch(self, lasts_s: float) -> Presence:
        """Return whether something of the stack went away within so many seconds, and when all was back."""
        began_s = time.time()
        presence = Presence()
        while (left_s := began_s + lasts_s - time.time()) > 0:
            is_whole = await self.system.is_recovered()
            presence = presence.seen(is_whole=is_whole, after_s=time.time() - began_s)
            await asyncio.sleep(min(RECOVERY_POLL_INTERVAL_S, left_s))
        return presence


@asynccontextmanager
async def open_run(
    redis: RedisClient,
    environment: Environment,
    *,
    devices: int,
    faults: Mapping[str, Inject],
    needs_answers: bool,
    report: Callable[[str], None],
) -> AsyncGenerator[FaultRun]:
    """Yield the run on the stack of an environment, with so many devices that do not talk yet.

    Raises:
        StartError: no stack of this environment allows it.
        StateError: Redis is out of reach before the first fault.
    """
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        system = await SystemUnderTest.find(redis, session, environment)
        async with chaos_marker.exclusive_run(redis) as run_id:
            urls = await system.entry_urls()
            yield FaultRun(
                system=system,
                devices=SimulatedDevices(urls, devices),
                entry_urls=urls,
                run_id=run_id,
                faults=faults,
                needs_answers=needs_answers,
                report=report,
            )


@asynccontextmanager
async def beside(*works: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run these for as long as the block lasts."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""System under test: a stack that allows faults, and the processes of it that get one."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from dispatcher.bundled.fault_setting import NO_FAULT
from dispatcher.catalogue import Catalogue
from dispatcher.errors import StartError, StateError
from dispatcher.messages import SERVICES, Service
from dispatcher.ops.chaos.environment import Environment, running
from dispatcher.ops.fault_switch import FaultSwitch, FaultUnavailable
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.routing.overview import read_overview
from dispatcher.supervisor.chaos_marker import MarkedProcess

UNDO_TIMEOUT_S: Final = 15.0
UNDO_RETRY_INTERVAL_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceUnderTest:
    """An instance that may fail, its process and its switch."""

    process: MarkedProcess
    switch: FaultSwitch


class SystemUnderTest:
    """A stack that allows faults; its processes are read anew before each one.

    Attributes:
        down_before: what was down before the first fault; no fault is blamed for it.
    """

    def __init__(
        self,
        redis: RedisClient,
        session: aiohttp.ClientSession,
        environment: Environment,
        catalogue: Catalogue,
    ) -> None:
        """Use `find` instead, which asks whether the stack allows faults."""
        self.redis = redis
        self.session = session
        self.catalogue = catalogue
        self.down_before: frozenset[str] = frozenset()
        self._environment = environment

    @classmethod
    async def find(
        cls, redis: RedisClient, session: aiohttp.ClientSession, environment: Environment
    ) -> SystemUnderTest:
        """Return the stack of an environment.

        Raises:
            StartError: none allows faults; the text says how one does.
            StateError: Redis is out of reach.
        """
        await environment.processes()
        found = await instance_table.read_active(redis)
        if found is None:
            raise StartError("Redis knows no instances yet; start the stack, then run this again")
        return cls(redis, session, environment, found.catalogue)

    async def entry_urls(self) -> tuple[str, ...]:
        """Return where the stack takes devices, as `http://HOST:PORT`.

        Raises:
            StartError: nowhere.
        """
        urls = self._environment.entry_urls(await self._environment.processes())
        if not urls:
            raise StartError("the stack that allows faults has no front; nobody could talk to it")
        return urls

    async def processes(self) -> tuple[MarkedProcess, ...]:
        """Return the processes that may be broken, as they are now.

        Raises:
            StartError: nothing allows faults any more.
        """
        return await self._environment.processes()

    async def process_of(self, role: str, *, missing: str, queue: str = "") -> MarkedProcess:
        """Return a process of a role; a worker named like the queue before others, never the control worker.

        Raises:
            FaultUnavailable: none runs, as `missing` says.
            StartError: nothing allows faults any more.
        """
        found = running(await self._environment.processes(), role)
        named = [process for process in found if process.name in (queue, f"worker-{queue}")]
        others = [process for process in found if process.name != "control"]
        for process in (*named, *others):
            return process
        raise FaultUnavailable(missing)

    async def instance_of(self, service: Service, *, with_switch: bool) -> InstanceUnderTest:
        """Return an instance whose work another one can do, of this service before others.

        Args:
            service: a host may have two instances of another one only.
            with_switch: it has to have a switch for faults.

        Raises:
            FaultUnavailable: there is none.
        """
        processes = await self._environment.processes()
        usable = {one.name for one in (await read_overview(self.redis)).instances if one.is_usable}
        reasons = []
        for each in (service, *(other for other in SERVICES if other != service)):
            found = await self._instance_of(each, processes, usable, with_switch=with_switch)
            if isinstance(found, InstanceUnderTest):
                return found
            reasons.append(f"{each} {found}")
        raise FaultUnavailable("; ".join(reasons))

    async def _instance_of(
        self, service: Service, processes: Sequence[MarkedProcess], usable: set[str], *, with_switch: bool
    ) -> InstanceUnderTest | str:
        """Return an instance of one service, or why there is none."""
        instances = [one for one in self.catalogue.services[service].instances if one.name in usable]
        if len(instances) < 2:
            return f"has {len(instances)} usable instances, and needs two to lose one"
        for instance in instances:
            address = urlsplit(instance.endpoint)
            process = self._environment.process_at(processes, address.hostname or "", address.port or 80)
            if process is None:
                continue
            url = f"http://{process.host}:{process.port}"
            switch = FaultSwitch(session=self.session, name=instance.name, url=url)
            if not with_switch or await switch.exists():
                return InstanceUnderTest(process=process, switch=switch)
        return "has no built-in instance of this stack that can be told to fail"

    async def send(self, process: MarkedProcess, how: signal.Signals) -> None:
        """Send a signal to a process of the stack, and to no other.

        Raises:
            FaultUnavailable: the process is gone, or does not belong to the stack.
        """
        await self._environment.send(process, how)

    async def record_down(self) -> frozenset[str]:
        """Record and return what is down before the first fault; `is_recovered` ignores it from now on.

        Raises:
            StateError: Redis is out of reach.
            StartError: nothing allows faults any more.
        """
        self.down_before = await self.down()
        return self.down_before

    async def is_recovered(self) -> bool:
        """Return whether all runs and may have calls that did before; without Redis it is not."""
        try:
            return await self.down() <= self.down_before
        except (StateError, StartError):
            return False

    async def down(self) -> frozenset[str]:
        """Return the processes that do not run and the instances that may have no calls, by name.

        Raises:
            StateError: Redis is out of reach.
            StartError: nothing allows faults any more.
        """
        overview = await read_overview(self.redis)
        stopped = {process.name for process in await self._environment.processes() if process.pid is None}
        states = {one.name: one for one in overview.instances if one.state != "not configured"}
        unusable = {name for name, one in states.items() if not one.is_usable}
        return frozenset(stopped | unusable | (set() if overview.instances else {"every instance"}))


async def clear_fault(switch: FaultSwitch) -> None:
    """Let an instance be healthy again; one that is unreachable is asked again for a while."""
    deadline_s = time.monotonic() + UNDO_TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            await switch.set(NO_FAULT, for_s=1)
        except FaultUnavailable:
            await asyncio.sleep(UNDO_RETRY_INTERVAL_S)
        else:
            return

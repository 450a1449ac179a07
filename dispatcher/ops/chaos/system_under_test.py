"""The stack that is hurt: only one that allows it, and only what whoever keeps it running calls its own."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from dispatcher.catalogue import Catalogue, Instance
from dispatcher.errors import StartError, StateError, in_words
from dispatcher.messages import Service
from dispatcher.ops.chaos.environment import Ground, NotHere, running
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.routing.overview import read_overview
from dispatcher.supervisor.chaos_marker import MarkedProcess

TIMEOUT: Final = aiohttp.ClientTimeout(total=3)
UNDO_WITHIN_S: Final = 15.0
LOOK_AGAIN_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """An instance that can be told to fail, and its process."""

    instance: Instance
    part: MarkedProcess

    @property
    def switch(self) -> str:
        """The address of its switch for faults."""
        return f"http://{self.part.host}:{self.part.port}/faults"


class Target:
    """A stack that allows it; its parts are asked for anew before anything is hurt."""

    def __init__(
        self, redis: RedisClient, session: aiohttp.ClientSession, ground: Ground, catalogue: Catalogue
    ) -> None:
        """Use `find` instead, which asks whether the stack allows it."""
        self.redis = redis
        self.session = session
        self.catalogue = catalogue
        self._ground = ground
        self.down_before: frozenset[str] = frozenset()

    @classmethod
    async def find(cls, redis: RedisClient, session: aiohttp.ClientSession, ground: Ground) -> Target:
        """Return the stack that stands on a ground.

        Raises:
            StartError: none allows it; the text says how one does.
            StateError: Redis is out of reach.
        """
        await ground.parts()
        found = await instance_table.in_force(redis)
        if found is None:
            raise StartError("Redis knows no instances yet; start the stack, then run this again")
        return cls(redis, session, ground, found.catalogue)

    async def running(self, role: str) -> tuple[MarkedProcess, ...]:
        """Return the parts of a role that run now.

        Raises:
            StartError: nobody allows anything any more.
        """
        return running(await self._ground.parts(), role)

    async def doors(self) -> tuple[str, ...]:
        """Return where the stack takes devices, as `http://HOST:PORT`.

        Raises:
            StartError: nowhere.
        """
        doors = self._ground.doors(await self._ground.parts())
        if not doors:
            raise StartError("the stack that allows faults has no front; nobody could talk to it")
        return doors

    async def kill(self, part: MarkedProcess, how: signal.Signals) -> None:
        """Send a signal to a process of the stack, and to no other.

        Raises:
            NotHere: the process is gone, or is none of the stack's.
        """
        await self._ground.send(part, how)

    async def victim(self, services: Sequence[Service], *, with_switch: bool) -> Victim:
        """Return an instance that may be hurt, because another one can do its work.

        Args:
            services: which to look at, the first one that has such an instance wins.
            with_switch: it has to take faults.

        Raises:
            NotHere: there is none.
        """
        parts = await self._ground.parts()
        usable = {one.name for one in (await read_overview(self.redis)).instances if one.is_usable}
        reasons = []
        for service in services:
            found = await self._victim_of(service, parts, usable, with_switch=with_switch)
            if isinstance(found, Victim):
                return found
            reasons.append(f"{service} {found}")
        raise NotHere("; ".join(reasons))

    async def _victim_of(
        self, service: Service, parts: Sequence[MarkedProcess], usable: set[str], *, with_switch: bool
    ) -> Victim | str:
        """Return an instance of one service, or why there is none."""
        instances = [one for one in self.catalogue.services[service].instances if one.name in usable]
        if len(instances) < 2:
            return f"has {len(instances)} usable instances, and needs two to lose one"
        for instance in instances:
            address = urlsplit(instance.endpoint)
            part = self._ground.part_at(parts, address.hostname or "", address.port or 80)
            if part is None:
                continue
            victim = Victim(instance=instance, part=part)
            if not with_switch or await self._has_switch(victim):
                return victim
        return "has no built-in instance of this stack that can be told to fail"

    async def switch(self, victim: Victim, mode: str, value: float | None, *, for_s: float) -> None:
        """Let an instance fail in a mode; it ends by itself, should this process be gone by then.

        Raises:
            NotHere: it refused, or is away.
        """
        body: dict[str, Any] = {"mode": mode, "value": value, "for_s": for_s}
        try:
            async with self.session.post(victim.switch, json=body, timeout=TIMEOUT) as answer:
                if answer.status != 200:
                    raise NotHere(f"{victim.instance.name} refused {mode}: {await answer.text()}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NotHere(f"{victim.instance.name} cannot be told to fail: {in_words(error)}") from error

    async def end_fault(self, victim: Victim) -> None:
        """Let an instance do right again; one that is away is asked again for a while."""
        give_up_at = time.monotonic() + UNDO_WITHIN_S
        while time.monotonic() < give_up_at:
            try:
                await self.switch(victim, "none", None, for_s=1)
            except NotHere:
                await asyncio.sleep(LOOK_AGAIN_S)
            else:
                return

    async def note_down(self) -> frozenset[str]:
        """Return what is down now, before anything is broken; from now on `is_well` is well without it.

        Raises:
            StateError: Redis is out of reach.
            StartError: nobody allows anything any more.
        """
        self.down_before = await self._down()
        return self.down_before

    async def is_well(self) -> bool:
        """Return whether all runs and may have calls that did before; a Redis that is away is not well."""
        try:
            return await self._down() <= self.down_before
        except (StateError, StartError):
            return False

    async def _down(self) -> frozenset[str]:
        """Return the parts that do not run and the instances that may have no calls, by name."""
        overview = await read_overview(self.redis)
        stopped = {part.name for part in await self._ground.parts() if part.pid is None}
        states = {one.name: one for one in overview.instances if one.state != "not configured"}
        unusable = {name for name, one in states.items() if not one.is_usable}
        return frozenset(stopped | unusable | (set() if overview.instances else {"every instance"}))

    async def _has_switch(self, victim: Victim) -> bool:
        try:
            async with self.session.get(victim.switch, timeout=TIMEOUT) as answer:
                return bool(answer.status == 200)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

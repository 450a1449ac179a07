"""The stack that is hurt: only one that allows it, and only what its supervisor on this host started."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import psutil

from dispatcher.catalogue import Catalogue, Instance
from dispatcher.contracts import Service
from dispatcher.errors import StartError, StateError
from dispatcher.state import fleet, verify_mark
from dispatcher.state.line import RedisLine
from dispatcher.state.overview import read_overview
from dispatcher.state.verify_mark import MarkedPart, VerifyMark

HOW: Final = (
    "start one that nobody depends on with `make run VERIFY=1`, or ALLOW_VERIFY=true dispatcher up, "
    "and run this on the same host with the same REDIS_URL"
)
TIMEOUT: Final = aiohttp.ClientTimeout(total=3)
UNDO_WITHIN_S: Final = 15.0
LOOK_AGAIN_S: Final = 0.2
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class NotHere(StartError):
    """A fault cannot be tried on this stack; the message says why. The others are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """An instance that can be told to fail, and its process."""

    instance: Instance
    part: MarkedPart

    @property
    def switch(self) -> str:
        """The address of its switch for faults."""
        return f"http://127.0.0.1:{self.part.port}/faults"


class Target:
    """A stack that has left its mark; the mark is read anew before anything is hurt."""

    def __init__(self, line: RedisLine, session: aiohttp.ClientSession, catalogue: Catalogue) -> None:
        """Use `find` instead, which asks whether the stack allows it."""
        self.line = line
        self.session = session
        self.catalogue = catalogue

    @classmethod
    async def find(cls, line: RedisLine, session: aiohttp.ClientSession) -> Target:
        """Return the stack of this host.

        Raises:
            StartError: none allows it; the text says how one does.
            StateError: Redis is out of reach.
        """
        found = await fleet.in_force(line)
        if await verify_mark.read(line, socket.gethostname()) is None or found is None:
            raise StartError(f"no stack on {socket.gethostname()} allows to be hurt: {HOW}")
        target = cls(line, session, found.catalogue)
        await target.mark()
        return target

    async def mark(self) -> VerifyMark:
        """Return what the supervisor says of its processes now.

        Raises:
            StartError: it says nothing any more, or it is no process of this host.
        """
        host = socket.gethostname()
        mark = await verify_mark.read(self.line, host)
        if mark is None or not psutil.pid_exists(mark.pid):
            raise StartError(f"no stack on {host} allows to be hurt: {HOW}")
        return mark

    async def front_urls(self) -> tuple[str, ...]:
        """Return where the fronts of the stack take devices.

        Raises:
            StartError: it has none.
        """
        ports = [part.port for part in (await self.mark()).parts if part.role == "front" and part.port]
        if not ports:
            raise StartError("the stack that allows to be hurt runs no front; nobody could talk to it")
        return tuple(f"ws://127.0.0.1:{port}/xiaozhi/v1/" for port in ports)

    async def kill(self, part: MarkedPart, how: signal.Signals) -> None:
        """Send a signal to a process of the supervisor, and to no other.

        Raises:
            NotHere: the process is gone, or is no child of the supervisor.
        """
        mark = await self.mark()
        try:
            process = psutil.Process(part.pid or 0)
            if process.ppid() != mark.pid:
                raise NotHere(f"pid {part.pid} ({part.name}) is no child of the supervisor (pid {mark.pid})")
            process.send_signal(how)
        except psutil.Error as error:
            raise NotHere(f"{part.name} cannot be reached: {error}") from error

    async def victim(self, service: Service, *, with_switch: bool) -> Victim:
        """Return an instance of a service that may be hurt, because another one can do its work.

        Raises:
            NotHere: there is none.
        """
        mark = await self.mark()
        usable = {one.name for one in (await read_overview(self.line)).instances if one.is_usable}
        ours = {part.port: part for part in mark.of_role("instance") if part.port}
        instances = [one for one in self.catalogue.services[service].instances if one.name in usable]
        if len(instances) < 2:
            raise NotHere(f"{service} has {len(instances)} usable instances, and needs two to lose one")
        for instance in instances:
            address = urlsplit(instance.endpoint)
            part = ours.get(address.port or 0) if address.hostname in LOOPBACK else None
            if part is None:
                continue
            victim = Victim(instance=instance, part=part)
            if not with_switch or await self._has_switch(victim):
                return victim
        raise NotHere(f"{service} has no built-in instance of this supervisor that can be told to fail")

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
            raise NotHere(f"{victim.instance.name} cannot be told to fail: {error!r}") from error

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

    async def is_well(self) -> bool:
        """Return whether every part runs and every instance may have calls; a Redis that is away is not."""
        try:
            overview = await read_overview(self.line)
            mark = await verify_mark.read(self.line, socket.gethostname())
        except StateError:
            return False
        runs = mark is not None and all(part.pid is not None for part in mark.parts)
        return runs and bool(overview.instances) and all(one.is_usable for one in overview.instances)

    async def _has_switch(self, victim: Victim) -> bool:
        try:
            async with self.session.get(victim.switch, timeout=TIMEOUT) as answer:
                return bool(answer.status == 200)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False


def worker_of(parts: Sequence[MarkedPart], queue: str) -> MarkedPart | None:
    """Return the worker that carries the name of a queue; any but the control worker where none does."""
    named = [part for part in parts if part.name == queue]
    others = [part for part in parts if part.name != "control"]
    return next(iter([*named, *others]), None)

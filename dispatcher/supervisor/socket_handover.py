"""How one process follows another at the same port without a moment in which nobody listens there.

The supervisor binds the port and hands the socket to each front that it starts. A front that is to stop says
so and goes on; the next one is started beside it, and once that one serves, the first may go: it takes no new
device and lets what was begun end (docs/adr/0021-a-restart-costs-no-turn.md).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import suppress
from typing import Final, Self

from dispatcher.front.http.listening import bind_other_family
from dispatcher.supervisor.process import Process
from dispatcher.supervisor.process_spec import Address, Part

# A grandchild that left the group may hold the pipe open; the rest of its output is not waited for.
LAST_OUTPUT_TIMEOUT_S: Final = 1.0


class Place:
    """The port of a part, held while one process of it follows another.

    Whoever connects in a moment in which none accepts, after a crash say, waits for the next one.

    Attributes:
        companions: bound at the same port of the other family, IPv6 beside IPv4, where that can be had.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self.companions: list[socket.socket] = []

    @classmethod
    def of(cls, part: Part) -> Self | None:
        """Return the place of a front that can be handed a socket, else None."""
        if part.role != "front" or part.in_shell or part.address is None or not _is_ip(part.address.host):
            return None
        return cls(part.address)

    def take(self) -> socket.socket:
        """Return the socket, bound; it listens from the first front on.

        Raises:
            OSError: another program has the port.
        """
        if self._socket is None:
            family = socket.AF_INET6 if ":" in self._address.host else socket.AF_INET
            fresh = socket.socket(family, socket.SOCK_STREAM)
            fresh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                fresh.bind(self._address)
            except OSError:
                fresh.close()
                raise
            self._socket = fresh
            self.companions = bind_other_family(fresh)
        return self._socket

    def give_up(self) -> None:
        """Let go of the port: who waits there is refused, and may look elsewhere."""
        for each in (self._socket, *self.companions):
            if each is not None:
                each.close()
        self._socket, self.companions = None, []


class DrainingProcesses:
    """The processes of one part that were followed, or will be, and end what they began."""

    def __init__(self, *, within_s: float) -> None:
        """Give each so long to end; then it is killed."""
        self._within_s = within_s
        self._leaving: dict[asyncio.Task[None], Process] = {}

    def __bool__(self) -> bool:
        """Whether one is still there."""
        return bool(self._leaving)

    def see_off(self, process: Process, output: asyncio.Task[None]) -> None:
        """Wait for the end of a process, beside its successor."""
        task = asyncio.get_running_loop().create_task(self._see_off(process, output))
        self._leaving[task] = process
        task.add_done_callback(self._leaving.pop)

    def let_go(self) -> None:
        """Tell all that they need not wait any longer."""
        for process in self._leaving.values():
            process.let_go()

    def kill(self) -> None:
        """End all, now."""
        for process in self._leaving.values():
            process.kill()

    async def gone(self) -> None:
        """Return when none is left."""
        if self._leaving:
            await asyncio.wait(list(self._leaving))

    async def _see_off(self, process: Process, output: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(self._within_s):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await asyncio.wait([output], timeout=LAST_OUTPUT_TIMEOUT_S)
        output.cancel()


def _is_ip(host: str) -> bool:
    """Return whether a host is one address; a name may be several, and an empty one is two."""
    with suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False

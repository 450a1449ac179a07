"""The ground of `dispatcher up`: the children of one supervisor on this host, as its mark in Redis says."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence
from typing import Final

import psutil

from dispatcher.errors import StartError
from dispatcher.ops.chaos.environment import NotHere, running
from dispatcher.redis_client.client import RedisClient
from dispatcher.supervisor import chaos_marker
from dispatcher.supervisor.broker_server import LOOPBACK_HOSTS
from dispatcher.supervisor.chaos_marker import ChaosMarker, MarkedProcess

HOW: Final = (
    "start one that nobody depends on with `make run VERIFY=1`, or ALLOW_VERIFY=true dispatcher up, "
    "and run this on the same host with the same REDIS_URL; for containers see --docker"
)


class Supervised:
    """The processes of a supervisor; its mark is read anew before anything is hurt."""

    def __init__(self, redis: RedisClient) -> None:
        """Look at nothing yet."""
        self._redis = redis
        self._host = socket.gethostname()

    async def parts(self) -> tuple[MarkedProcess, ...]:
        """Return what the supervisor says of its processes now; see `Ground`."""
        return (await self._mark()).parts

    async def send(self, part: MarkedProcess, how: signal.Signals) -> None:
        """Send a signal to a child of the supervisor, and to no other process; see `Ground`."""
        mark = await self._mark()
        try:
            process = psutil.Process(part.pid or 0)
            if process.ppid() != mark.pid:
                raise NotHere(f"pid {part.pid} ({part.name}) is no child of the supervisor (pid {mark.pid})")
            process.send_signal(how)
        except psutil.Error as error:
            raise NotHere(f"{part.name} cannot be reached: {error}") from error

    def part_at(self, parts: Sequence[MarkedProcess], hostname: str, port: int) -> MarkedProcess | None:
        """Return the instance that listens on a port of this host; see `Ground`."""
        if hostname not in LOOPBACK_HOSTS:
            return None
        return next((part for part in running(parts, "instance") if part.port == port), None)

    def doors(self, parts: Sequence[MarkedProcess]) -> tuple[str, ...]:
        """Return every front; see `Ground`."""
        return tuple(
            f"http://{part.host}:{part.port}"
            for part in parts
            if part.role == "front" and part.port is not None
        )

    async def _mark(self) -> ChaosMarker:
        mark = await chaos_marker.read(self._redis, self._host)
        if mark is None or not psutil.pid_exists(mark.pid):
            raise StartError(f"no stack on {self._host} allows faults: {HOW}")
        return mark

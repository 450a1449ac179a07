"""Environment of `dispatcher up`: the children of one supervisor on this host, by its chaos marker."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence
from typing import Final

import psutil

from dispatcher.errors import StartError, StateError
from dispatcher.ops.chaos.environment import running
from dispatcher.ops.fault_switch import FaultUnavailable
from dispatcher.redis_client.client import RedisClient
from dispatcher.supervisor import chaos_marker
from dispatcher.supervisor.broker_server import LOOPBACK_HOSTS
from dispatcher.supervisor.chaos_marker import ChaosMarker, MarkedProcess

HOW: Final = (
    "start one that nobody depends on with `make run VERIFY=1`, or ALLOW_VERIFY=true dispatcher up, "
    "and run this on the same host with the same REDIS_URL; for containers see --docker"
)


class SupervisedEnvironment:
    """Processes of a supervisor; its chaos marker is read anew before each fault."""

    def __init__(self, redis: RedisClient) -> None:
        """Read nothing yet."""
        self._redis = redis
        self._host = socket.gethostname()
        self._supervisor_pid: int | None = None

    async def processes(self) -> tuple[MarkedProcess, ...]:
        """Return the children of the supervisor now; see `Environment`."""
        return (await self._marker()).parts

    async def send(self, process: MarkedProcess, how: signal.Signals) -> None:
        """Send a signal to a child of the supervisor, and to no other process; see `Environment`."""
        supervisor_pid = await self._find_supervisor()
        try:
            child = psutil.Process(process.pid or 0)
            if child.ppid() != supervisor_pid:
                raise FaultUnavailable(
                    f"pid {process.pid} ({process.name}) is no child of the supervisor (pid {supervisor_pid})"
                )
            child.send_signal(how)
        except psutil.Error as error:
            raise FaultUnavailable(f"{process.name} cannot be reached: {error}") from error

    def process_at(
        self, processes: Sequence[MarkedProcess], hostname: str, port: int
    ) -> MarkedProcess | None:
        """Return the instance that listens on a port of this host; see `Environment`."""
        if hostname not in LOOPBACK_HOSTS:
            return None
        return next((each for each in running(processes, "instance") if each.port == port), None)

    def entry_urls(self, processes: Sequence[MarkedProcess]) -> tuple[str, ...]:
        """Return every front; see `Environment`."""
        fronts = (each for each in processes if each.role == "front" and each.port is not None)
        return tuple(f"http://{front.host}:{front.port}" for front in fronts)

    async def _find_supervisor(self) -> int:
        """Return the id of the supervisor, as last read where the stopped broker itself has to go on."""
        try:
            return (await self._marker()).pid
        except StateError:
            if self._supervisor_pid is None:
                raise
            return self._supervisor_pid

    async def _marker(self) -> ChaosMarker:
        marker = await chaos_marker.read(self._redis, self._host)
        if marker is None or not psutil.pid_exists(marker.pid):
            raise StartError(f"no stack on {self._host} allows faults: {HOW}")
        self._supervisor_pid = marker.pid
        return marker

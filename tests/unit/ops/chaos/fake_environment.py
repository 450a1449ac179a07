"""Environment of a chaos test in memory: processes that remember their signals."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from dispatcher.ops.fault_switch import FaultUnavailable
from dispatcher.supervisor.chaos_marker import MarkedProcess


class FakeEnvironment:
    """Some processes; those in `gone` have ended since they were read.

    Attributes:
        sent: each signal with the name of its process.
    """

    def __init__(self, *processes: MarkedProcess) -> None:
        self.sent: list[tuple[str, signal.Signals]] = []
        self.gone: set[str] = set()
        self._processes = processes

    async def processes(self) -> tuple[MarkedProcess, ...]:
        return self._processes

    async def send(self, process: MarkedProcess, how: signal.Signals) -> None:
        if process.name in self.gone:
            raise FaultUnavailable(f"{process.name} has ended")
        self.sent.append((process.name, how))

    def process_at(
        self, processes: Sequence[MarkedProcess], hostname: str, port: int
    ) -> MarkedProcess | None:
        return next((each for each in processes if (each.host, each.port) == (hostname, port)), None)

    def entry_urls(self, processes: Sequence[MarkedProcess]) -> tuple[str, ...]:
        return tuple(f"http://{each.host}:{each.port}" for each in processes if each.role == "front")


def process(name: str, role: str, *, pid: int | None = 7, port: int | None = None) -> MarkedProcess:
    """Return one process of the stack."""
    return MarkedProcess(name=name, role=role, pid=pid, port=port)

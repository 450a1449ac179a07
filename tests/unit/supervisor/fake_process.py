"""Processes that a test ends by hand, and what keeps them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dispatcher.supervisor.process import Process
from dispatcher.supervisor.process_launcher import ProcessLauncher
from dispatcher.supervisor.process_lifecycle import State
from dispatcher.supervisor.process_output import Level, ProcessLog
from dispatcher.supervisor.process_runner import Listener, ProcessRunner
from dispatcher.supervisor.process_spec import ProcessSpec, Role
from dispatcher.supervisor.readiness import Readiness

_PIDS = itertools.count(101)


def spec_named(name: str = "llm", role: Role = "worker") -> ProcessSpec:
    return ProcessSpec(name=name, role=role, argv=("run", name), assignments={}, what=role)


class FakeProcess(Process):
    """A process that ends when it is told to, and on a signal unless it ignores it.

    Attributes:
        signals: what it got.
    """

    def __init__(self, *, ignores_term: bool = False) -> None:
        self._pid = next(_PIDS)
        self._ignores_term = ignores_term
        self._exit_code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._leaving = asyncio.Event()
        self.serving = asyncio.Event()
        self.released = False
        self.signals: list[str] = []

    @property
    def pid(self) -> int:
        return self._pid

    def exit(self, code: int) -> None:
        if not self._exit_code.done():
            self._exit_code.set_result(code)

    def leave(self) -> None:
        self._leaving.set()

    async def read_output(self, on_line: Callable[[str], None]) -> None:
        on_line(f"pid {self.pid} prints this")
        await asyncio.shield(self._exit_code)

    async def wait(self) -> int:
        return await asyncio.shield(self._exit_code)

    async def wait_until_serving(self) -> None:
        await self.serving.wait()

    async def wait_for_exit_or_leaving(self) -> bool:
        leaving = asyncio.ensure_future(self._leaving.wait())
        ways: list[asyncio.Future[Any]] = [self._exit_code, leaving]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        return not self._exit_code.done()

    def release(self) -> None:
        self.released = True

    def terminate(self) -> None:
        self.signals.append("term")
        if not self._ignores_term:
            self.exit(0)

    def kill(self) -> None:
        self.signals.append("kill")
        self.exit(-9)


class FakeLauncher(ProcessLauncher):
    """Starts fake processes; `fails` makes each start fail.

    Attributes:
        started: all of them, the newest last.
    """

    def __init__(self, *, fails: bool = False, ignores_term: bool = False) -> None:
        self.started: list[FakeProcess] = []
        self.closed_sockets = 0
        self._fails = fails
        self._ignores_term = ignores_term

    async def start(self) -> FakeProcess:
        if self._fails:
            raise FileNotFoundError(2, "No such file or directory")
        self.started.append(FakeProcess(ignores_term=self._ignores_term))
        return self.started[-1]

    def close_socket(self) -> None:
        self.closed_sockets += 1


class FakeReadiness(Readiness):
    """Ready after so many seconds; never where that is None."""

    def __init__(self, after_s: float | None = 1.0) -> None:
        self.after_s = after_s

    async def wait(self, spec: ProcessSpec, pid: int) -> None:  # noqa: ARG002  as the real one
        await asyncio.sleep(3600 if self.after_s is None else self.after_s)


class Kept:
    """A runner of fake processes, and all that it reported.

    Attributes:
        events: what an operator reads.
        states: those that were entered, in order.
        ended: process ids.
    """

    def __init__(
        self,
        folder: Path,
        launcher: FakeLauncher | None = None,
        *,
        ready_after_s: float | None = 1.0,
        spec: ProcessSpec | None = None,
    ) -> None:
        self.launcher = launcher or FakeLauncher()
        self.readiness = FakeReadiness(ready_after_s)
        self.events: list[str] = []
        self.states: list[str] = []
        self.ended: list[int] = []
        self.runner = ProcessRunner(
            spec or spec_named(),
            self.launcher,
            readiness=self.readiness,
            log=ProcessLog(folder / f"{(spec or spec_named()).name}.log"),
            listener=Listener(
                on_change=self._on_change,
                on_event=self._on_event,
                on_output=lambda _spec, _line, _level, _is_summary: None,
                on_turn=lambda _turn: None,
                on_end=self.ended.append,
            ),
            drain_timeout_s=30,
            clock=asyncio.get_running_loop().time,
        )

    @property
    def process(self) -> FakeProcess:
        return self.launcher.started[-1]

    async def until(self, state: State) -> None:
        await self.runner.lifecycle.wait_for(state)

    def _on_change(self, runner: ProcessRunner) -> None:
        if not self.states or self.states[-1] != runner.state:
            self.states.append(runner.state)

    def _on_event(self, _spec: ProcessSpec, text: str, _level: Level) -> None:
        self.events.append(text.splitlines()[0])

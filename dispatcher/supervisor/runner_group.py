"""Process runners of a plan and of scaled workers: started together, stopped role by role."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from dispatcher.settings import Settings
from dispatcher.supervisor.plan import STOP_ORDER
from dispatcher.supervisor.process_launcher import ProcessLauncher
from dispatcher.supervisor.process_output import ProcessLog
from dispatcher.supervisor.process_runner import Listener, ProcessRunner
from dispatcher.supervisor.process_spec import ProcessSpec
from dispatcher.supervisor.readiness import Readiness

# A process that drains for `drain_s` by its own clock must not be killed at that very moment.
STOP_MARGIN_S: Final = 2.0
# A front that makes way waits until its successor serves, and drains after that.
HANDOVER_MARGIN_S: Final = 20.0


class RunnerGroup:
    """The process runners of one supervisor.

    Attributes:
        runners: all of them; scaled workers come and go.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        *,
        readiness: Readiness,
        listener: Listener,
    ) -> None:
        """Run processes with these variables.

        Args:
            settings: how long processes drain, and where their logs lie.
            environment: variables of the processes.
            readiness: asked until a process is ready.
            listener: notified of what happens to each.
        """
        self.runners: list[ProcessRunner] = []
        self._settings = settings
        self._environment = environment
        self._readiness = readiness
        self._listener = listener

    @property
    def grace_s(self) -> float:
        """How long a process has to end."""
        return self._settings.drain_s + STOP_MARGIN_S

    def add(self, spec: ProcessSpec) -> ProcessRunner:
        """Add a runner, which is not started yet."""
        runner = ProcessRunner(
            spec,
            ProcessLauncher(spec, self._environment),
            readiness=self._readiness,
            log=ProcessLog(self._log_path(spec)),
            listener=self._listener,
            drain_timeout_s=self._settings.drain_s + HANDOVER_MARGIN_S,
        )
        self.runners.append(runner)
        return runner

    async def start(self, group: asyncio.TaskGroup, specs: Sequence[ProcessSpec], timeout_s: float) -> bool:
        """Start these together; return whether all became ready in time. Late ones go on."""
        runners = [runner for runner in self.runners if runner.spec in specs]
        for runner in runners:
            group.create_task(runner.run())
        try:
            async with asyncio.timeout(timeout_s):
                states = await asyncio.gather(*(runner.lifecycle.wait_for("ready") for runner in runners))
        except TimeoutError:
            for runner in runners:
                if runner.state not in {"ready", "failed"}:
                    text = f"is not ready after {timeout_s:.0f} s; it may still come, see "
                    self._listener.on_event(runner.spec, f"{text}{self._log_path(runner.spec)}", "warning")
            return False
        return "failed" not in states

    def start_scaled(self, group: asyncio.TaskGroup, spec: ProcessSpec) -> ProcessRunner:
        """Keep one more process running, until it is removed or everything stops."""
        runner = self.add(spec)
        group.create_task(runner.run())
        self._listener.on_event(spec, "is started", "info")
        return runner

    def notify(self, spec: ProcessSpec, text: str) -> None:
        """Tell the operator what is done to a process."""
        self._listener.on_event(spec, text, "info")

    async def remove(self, runner: ProcessRunner) -> None:
        """Stop a process that is needed no more; what it works on may end."""
        await runner.stop(self.grace_s)
        self.runners.remove(runner)
        self._listener.on_change(runner)
        self._listener.on_event(runner.spec, "is stopped", "info")

    async def stop(self) -> None:
        """Stop role by role; what feeds others stops before them."""
        for roles in STOP_ORDER:
            stopping = [runner.stop(self.grace_s) for runner in self.runners if runner.spec.role in roles]
            await asyncio.gather(*stopping)

    def kill(self) -> None:
        """End all, now."""
        for runner in self.runners:
            runner.kill()

    def _log_path(self, spec: ProcessSpec) -> Path:
        return self._settings.data_dir / "log" / f"{spec.name}.log"

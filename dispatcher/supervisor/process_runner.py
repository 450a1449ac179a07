"""Process runner: start, wait until ready, start again after an exit, restart on request, stop.

The states and what leads from one to the next stand in `process_lifecycle`; a single run in `process_run`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dispatcher.supervisor.draining_processes import DrainingProcesses
from dispatcher.supervisor.process import Process, describe_exit
from dispatcher.supervisor.process_launcher import ProcessLauncher
from dispatcher.supervisor.process_lifecycle import ProcessLifecycle, State
from dispatcher.supervisor.process_output import Level, OutputReader, ProcessLog
from dispatcher.supervisor.process_run import ProcessRun
from dispatcher.supervisor.process_spec import ProcessSpec
from dispatcher.supervisor.readiness import Readiness
from dispatcher.supervisor.restart_policy import RestartPolicy, RunOutcome

FAILURE_LINES: Final = 3
# Clients that connect while a process is down wait for it, but not for longer than a device does.
LONGEST_HELD_S: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Callbacks for what happens to a process.

    Attributes:
        on_change: the state or the process id changed.
        on_event: something the operator should read, as one line or a few.
        on_output: the process printed a line; the flag marks a summary that is worth showing.
        on_turn: a front sent a turn for the terminal UI, as JSON.
        on_end: the process of that id ended, or makes way.
    """

    on_change: Callable[[ProcessRunner], None]
    on_event: Callable[[ProcessSpec, str, Level], None]
    on_output: Callable[[ProcessSpec, str, Level, bool], None]
    on_turn: Callable[[str], None]
    on_end: Callable[[int], None]


class ProcessRunner:
    """Keeps one process running until it is stopped or given up.

    Attributes:
        lifecycle: its state.
        pid: of the process that runs now.
    """

    def __init__(
        self,
        spec: ProcessSpec,
        launcher: ProcessLauncher,
        *,
        readiness: Readiness,
        log: ProcessLog,
        listener: Listener,
        drain_timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spec = spec
        self.lifecycle = ProcessLifecycle(lambda: listener.on_change(self), clock=clock)
        self.pid: int | None = None
        self._launcher = launcher
        self._readiness = readiness
        self._listener = listener
        self._output = OutputReader(
            spec.role,
            log,
            on_output=lambda line, level, is_summary: listener.on_output(spec, line, level, is_summary),
            on_turn=listener.on_turn,
            is_stopping=lambda: self.state in {"stopping", "restarting"},
        )
        self._policy = RestartPolicy()
        self._draining = DrainingProcesses(timeout_s=drain_timeout_s)
        self._process: Process | None = None

    @property
    def state(self) -> State:
        """The state of its lifecycle."""
        return self.lifecycle.state

    async def run(self) -> None:
        """Start the process, and start it again each time it ends; return when it is stopped or given up."""
        try:
            while self.lifecycle.apply("start"):
                delay_s = await self._run_once()
                if delay_s is not None:
                    await self._back_off(delay_s)
            await self._draining.wait_for_exit()
        finally:
            self.kill()
            self._launcher.close_socket()
            self._output.log.close()
            self.lifecycle.apply("end")

    async def stop(self, grace_s: float) -> None:
        """Terminate the process; kill it after the grace."""
        self.lifecycle.apply("stop")
        if self.state != "stopping":
            return
        self._draining.release()
        if self._process is not None:
            self._process.terminate()
        try:
            async with asyncio.timeout(grace_s):
                await self.lifecycle.wait_for("stopped")
        except TimeoutError:
            self._listener.on_event(self.spec, f"did not stop in {grace_s:.0f} s; killed", "warning")
            self.kill()
            await self.lifecycle.wait_for("stopped")

    async def restart(self, grace_s: float) -> bool:
        """Terminate the process, kill it after the grace, start it anew at once; return whether it got ready.

        One that was given up, or that is being stopped, stays as it is. Waits for as long as it takes.
        """
        process = self._process
        if process is not None and self.lifecycle.apply("restart"):
            process.terminate()
            try:
                async with asyncio.timeout(grace_s):
                    await self.lifecycle.wait_for("backing off", "stopping")
            except TimeoutError:
                process.kill()
        return self.state != "stopping" and await self.lifecycle.wait_for("ready") == "ready"

    def kill(self) -> None:
        """End the process and all that it started, now and for good."""
        self.lifecycle.apply("stop")
        self._draining.kill()
        if self._process is not None:
            self._process.kill()

    def replace(self, reason: str) -> None:
        """Kill the ready process for a reason; it is started again like any that ends."""
        if self.state == "ready" and self._process is not None:
            self._listener.on_event(self.spec, reason, "warning")
            self._process.kill()

    async def _run_once(self) -> float | None:
        """Run the process to its end; return the pause before the next run, None for no further one."""
        self._output.begin_run()
        try:
            process = self._process = await self._launcher.start()
        except OSError as error:
            self._give_up(f"cannot be started: {error.strerror}: {self.spec.argv[0]}")
            return None
        self.pid = process.pid
        self._listener.on_change(self)
        if self.state != "starting":
            process.terminate()
        run = ProcessRun(process, self.spec, readiness=self._readiness, draining=self._draining)
        outcome = await run.watch(self._output.take, self._on_ready, lambda: self.state == "stopping")
        self._listener.on_end(process.pid)
        self._process, self.pid = None, None
        return self._after(outcome)

    def _on_ready(self) -> None:
        if self.lifecycle.apply("serve") and self._policy.runs:
            took_s = self.lifecycle.before_lasted_s
            self._listener.on_event(self.spec, f"is back after {took_s:.1f} s", "info")

    def _after(self, run: RunOutcome) -> float | None:
        """Decide what follows a run."""
        is_requested = self.state == "restarting"
        delay_s = self._policy.next_delay_s(run, is_requested=is_requested)
        if self.state == "stopping":
            return None
        if delay_s is None:
            self._give_up(f"{describe_exit(run.code)} at each of {self._policy.runs} starts; given up")
            return None
        self.lifecycle.apply("exit")
        if run.makes_way and not is_requested:
            self._listener.on_event(self.spec, "is to stop; the next one is started beside it", "info")
        elif not is_requested:
            when = f"back in {delay_s:g} s" if delay_s else "started again at once"
            self._listener.on_event(self.spec, f"{describe_exit(run.code)}; {when}", "warning")
        return delay_s

    def _give_up(self, reason: str) -> None:
        lines = "".join(f"\n  {line}" for line in self._output.log.last_lines(FAILURE_LINES))
        self.lifecycle.apply("give up")
        self._listener.on_event(self.spec, f"{reason}{lines}", "error")

    async def _back_off(self, delay_s: float) -> None:
        if delay_s > LONGEST_HELD_S:
            self._launcher.close_socket()
        try:
            async with asyncio.timeout(delay_s):
                await self.lifecycle.wait_for("stopping")
        except TimeoutError:
            return

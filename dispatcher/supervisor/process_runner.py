"""Keeping one part running: start, wait until it is ready, start again when it ends, stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from dispatcher.messages import SCREEN_TURN_SIGN
from dispatcher.supervisor.channel import Channel
from dispatcher.supervisor.process import Process, describe_exit, was_stopped
from dispatcher.supervisor.process_logs import Level, LineReader, PartLog
from dispatcher.supervisor.process_spec import Part
from dispatcher.supervisor.readiness import Readiness
from dispatcher.supervisor.restart import RestartPolicy, Run
from dispatcher.supervisor.socket_handover import LAST_OUTPUT_TIMEOUT_S, DrainingProcesses, Place

State = Literal["waiting", "starting", "ready", "restarting", "failed", "stopping", "stopped"]

LINES_OF_A_FAILURE: Final = 3
# Whoever connects while a part is down waits for it, but not for longer than a device does.
LONGEST_HELD_S: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who wants to know what happens to a part.

    Attributes:
        on_change: the state or the process id changed.
        on_event: something the operator should read, as one line or a few.
        on_output: the part printed a line; the flag marks a summary that is worth showing.
        on_turn: a front told a turn for the screen, as JSON.
        on_end: the process of that id ended, or makes way.
    """

    on_change: Callable[[ProcessRunner], None]
    on_event: Callable[[Part, str, Level], None]
    on_output: Callable[[Part, str, Level, bool], None]
    on_turn: Callable[[str], None]
    on_end: Callable[[int], None]


class ProcessRunner:
    """Keeps one part running until it is stopped or given up.

    Attributes:
        state: `waiting` before the first start, `failed` and `stopped` at the end.
        pid: of the process that runs now.
        changed_at_s: when the state began, on the monotonic clock.
        took_s: from the last start until it was ready; None before that.
    """

    _tells_turns = False

    def __init__(
        self,
        part: Part,
        *,
        environment: Mapping[str, str],
        readiness: Readiness,
        log: PartLog,
        listener: Listener,
        leave_within_s: float,
    ) -> None:
        self.part = part
        self.state: State = "waiting"
        self.pid: int | None = None
        self.changed_at_s = time.monotonic()
        self.took_s: float | None = None
        self._environment = environment
        self._readiness = readiness
        self._log = log
        self._listener = listener
        self._lines = LineReader(part.role)
        self._policy = RestartPolicy()
        self._place = Place.of(part)
        self._predecessors = DrainingProcesses(within_s=leave_within_s)
        self._process: Process | None = None
        self._runs = 0
        self._stop_asked = asyncio.Event()
        self._restart_asked = False
        self._back = asyncio.Event()
        self._settled = asyncio.Event()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Start the part, and start it again each time it ends; return when it is stopped or given up."""
        try:
            while not self._stop_asked.is_set():
                delay_s = await self._run_once()
                if delay_s is None:
                    break
                await self._pause(delay_s)
            await self._predecessors.gone()
        finally:
            self.kill()
            self._give_up_place()
            self._log.close()
            self._settled.set()
            self._ended.set()
            self._back.set()
        if self.state != "failed":
            self._enter("stopped")

    async def settled(self) -> bool:
        """Wait until it was ready for the first time or is given up; return whether it was ready."""
        await self._settled.wait()
        return self.state != "failed"

    async def stop(self, grace_s: float) -> None:
        """Ask the process to end; kill it after the grace."""
        if self.state in {"waiting", "failed", "stopped"}:
            self._stop_asked.set()
            return
        self._stop_asked.set()
        self._predecessors.let_go()
        self._enter("stopping")
        if self._process is not None:
            self._process.terminate()
        try:
            async with asyncio.timeout(grace_s):
                await self._ended.wait()
        except TimeoutError:
            self._listener.on_event(self.part, f"did not stop in {grace_s:.0f} s; killed", "warning")
            self.kill()
            await self._ended.wait()

    async def restart(self, grace_s: float) -> bool:
        """End the process, kill it after the grace, start it anew at once; return whether it got ready again.

        One that was given up, or that is being stopped, stays as it is. Waits for as long as it takes.
        """
        if self.state in {"failed", "stopping", "stopped"}:
            return False
        self._back.clear()
        process = self._process
        if process is not None:
            self._restart_asked = True
            self._enter("restarting")
            process.terminate()
        too_long = asyncio.get_running_loop().call_later(grace_s, self._kill_late, process)
        try:
            await self._back.wait()
        finally:
            too_long.cancel()
        return self.state == "ready"

    def kill(self) -> None:
        """End the process and all that it started, now and for good."""
        self._stop_asked.set()
        self._predecessors.kill()
        if self._process is not None:
            self._process.kill()

    def replace(self, reason: str) -> None:
        """Kill the process that runs, which `reason` says of it; it is started again like any that ends."""
        if self.state == "ready" and self._process is not None:
            self._listener.on_event(self.part, reason, "warning")
            self._process.kill()

    async def _run_once(self) -> float | None:
        """Run the process to its end; return the pause before the next run, None for no further one."""
        started_at_s = time.monotonic()
        self._log.begin_run()
        self._lines = LineReader(self.part.role)
        try:
            self._process = await self._start()
        except OSError as error:
            self._give_up(f"cannot be started: {error.strerror}: {self.part.argv[0]}")
            return None
        self.pid = self._process.pid
        self._runs += 1
        self._enter("starting")
        if self._stop_asked.is_set():
            self._process.terminate()
        code, ready_s = await self._watch(self._process, started_at_s)
        self._listener.on_end(self._process.pid)
        self._process, self.pid = None, None
        if self._stop_asked.is_set():
            return None
        lasted_s = time.monotonic() - started_at_s
        is_stopped = was_stopped(code, self.part.role)
        return self._after(code, Run(lasted_s=lasted_s, ready_s=ready_s, is_stopped=is_stopped))

    async def _start(self) -> Process:
        """Start the process, at the place of the one before where it has one."""
        if self._place is None:
            return await Process.start(self.part, self._environment)
        channel = Channel(self._place.take(), *self._place.companions)
        try:
            return await Process.start(self.part, self._environment, channel=channel)
        except OSError:
            channel.close()
            raise

    async def _watch(self, process: Process, started_at_s: float) -> tuple[int | None, float | None]:
        """Return the exit code and how long the process was ready (None: never).

        One that makes way for the next has no exit code yet: it is seen off beside that one.
        """
        output = asyncio.get_running_loop().create_task(process.read_output(self._take_line))
        async with asyncio.TaskGroup() as group:
            readiness = group.create_task(self._become_ready(process, started_at_s))
            reading = group.create_task(_shielded(output))
            leaves = await process.ends_or_leaves()
            readiness.cancel()
            reading.cancel()
        ready_s = None if readiness.cancelled() else time.monotonic() - readiness.result()
        if leaves and not self._stop_asked.is_set():
            self._predecessors.see_off(process, output)
            return None, ready_s
        process.let_go()
        code = await process.wait()
        await asyncio.wait([output], timeout=LAST_OUTPUT_TIMEOUT_S)
        output.cancel()
        return code, ready_s

    async def _become_ready(self, process: Process, started_at_s: float) -> float:
        """Return the time at which the process became ready; from then on those before it may go."""
        if self._predecessors:  # one of them may answer in its stead
            await process.serves()
        await self._readiness.wait(self.part, process.pid)
        self._predecessors.let_go()
        now_s = time.monotonic()
        self.took_s = now_s - started_at_s
        if not (self._stop_asked.is_set() or self._restart_asked):
            self._enter("ready")
            self._settled.set()
            self._back.set()
            if self._runs > 1:
                self._listener.on_event(self.part, f"is back after {self.took_s:.1f} s", "info")
        return now_s

    def _after(self, code: int | None, run: Run) -> float | None:
        """Decide what follows an end that was no stop."""
        if self._restart_asked:
            self._restart_asked = False
            return 0.0
        if code is None:
            self._policy.next_delay_s(run)  # it was ready: the next one is not given up
            self._enter("restarting")
            self._listener.on_event(self.part, "is to stop; the next one is started beside it", "info")
            return 0.0
        delay_s = self._policy.next_delay_s(run)
        if delay_s is None:
            self._give_up(f"{describe_exit(code)} at each of {self._runs} starts; given up")
            return None
        self._enter("restarting")
        when = f"back in {delay_s:g} s" if delay_s else "started again at once"
        self._listener.on_event(self.part, f"{describe_exit(code)}; {when}", "warning")
        return delay_s

    def _give_up(self, reason: str) -> None:
        said = "".join(f"\n  {line}" for line in self._log.last_lines(LINES_OF_A_FAILURE))
        self._enter("failed")
        self._listener.on_event(self.part, f"{reason}{said}", "error")

    async def _pause(self, delay_s: float) -> None:
        if delay_s > LONGEST_HELD_S:
            self._give_up_place()
        try:
            async with asyncio.timeout(delay_s):
                await self._stop_asked.wait()
        except TimeoutError:
            return

    def _kill_late(self, process: Process | None) -> None:
        """Kill one that did not end in time; one that makes way has its own time."""
        if process is not None and process is self._process:
            process.kill()

    def _give_up_place(self) -> None:
        if self._place is not None:
            self._place.give_up()

    def _take_line(self, line: str) -> None:
        if line.startswith(SCREEN_TURN_SIGN):  # it may hold what a user said, which no file keeps
            self._tells_turns = True
            self._listener.on_turn(line.removeprefix(SCREEN_TURN_SIGN))
            return
        self._log.write(line)
        level = self._lines.level_of(line)
        if (self._stop_asked.is_set() or self._restart_asked) and level == "warning":
            level = "info"  # servers warn of their own stop, which the operator has asked for
        self._listener.on_output(
            self.part, line, level, not self._tells_turns and self._lines.is_summary(line)
        )

    def _enter(self, state: State) -> None:
        self.state = state
        self.changed_at_s = time.monotonic()
        self._listener.on_change(self)


async def _shielded(output: asyncio.Task[None]) -> None:
    """Raise what goes wrong with the output, which outlives who waits for it here."""
    await asyncio.shield(output)

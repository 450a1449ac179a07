"""Starting all parts in order, keeping them, and stopping them in the opposite order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dispatcher.errors import StartError
from dispatcher.settings import Settings
from dispatcher.supervisor.banner import closing_lines, redis_address
from dispatcher.supervisor.chaos_marker_refresh import keep_marked
from dispatcher.supervisor.disk import DiskWatch
from dispatcher.supervisor.plan import STOP_ORDER, Plan
from dispatcher.supervisor.process_logs import PartLog
from dispatcher.supervisor.process_runner import Listener, ProcessRunner
from dispatcher.supervisor.process_spec import Part
from dispatcher.supervisor.readiness import Readiness
from dispatcher.supervisor.rolling import Rolling
from dispatcher.supervisor.scaled_workers import ScaledWorkers
from dispatcher.supervisor.state_file import RunningProcess, StateFile
from dispatcher.supervisor.stuck_workers import WorkerWatch
from dispatcher.supervisor.terminal_ui import TerminalUi

REFRESH_S: Final = 0.125
# A part that drains for `drain_s` by its own clock must not be killed at that very moment.
STOP_MARGIN_S: Final = 2.0
# A front that makes way waits until it was followed, and drains after that.
LEAVE_MARGIN_S: Final = 20.0
# Loading speech models on a small, busy box takes its time; after this the operator gets the prompt anyway.
START_PATIENCE_S: Final = 120.0
# What no turn needs must not keep the operator waiting.
LAST_PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the supervisor works with.

    Attributes:
        environment: variables of the children.
    """

    settings: Settings
    environment: Mapping[str, str]
    screen: TerminalUi
    upfile: StateFile


class Supervisor:
    """Runs a plan until it is told to stop by SIGINT, SIGTERM or SIGHUP; a second signal kills at once."""

    def __init__(self, plan: Plan, surroundings: Surroundings) -> None:
        self._plan = plan
        self._settings = surroundings.settings
        self._environment = surroundings.environment
        self._screen = surroundings.screen
        self._upfile = surroundings.upfile
        self._stop_asked = asyncio.Event()
        self._failure: str | None = None
        self._readiness = Readiness(self._settings.redis_url)
        self._keepers: list[ProcessRunner] = []
        self._workers = WorkerWatch(self._settings.redis_url, self._keepers)
        self._keepers += [self._keeper(part) for part in plan.parts]
        self._rolling = Rolling(
            self._settings.data_dir, self._keepers, grace_s=self._settings.drain_s + STOP_MARGIN_S
        )

    async def run(self) -> None:
        """Start everything, wait for a signal, stop everything; nothing that was started is left.

        Raises:
            StartError: Redis does not answer, or nothing at all could be started.
        """
        try:
            await self._require_redis()
            self._listen_to_signals()
            self._screen.open(self._keepers)
            await self._run_until_stopped()
        finally:
            self._screen.close()
            await self._readiness.close()
        if self._failure is not None:
            raise StartError(self._failure)

    async def _run_until_stopped(self) -> None:
        async with asyncio.TaskGroup() as group:
            drawing = group.create_task(self._draw())
            tasks = [
                group.create_task(self._bring_up(group)),
                group.create_task(self._rolling.follow(self._screen.say)),
                group.create_task(self._disk_watch().follow()),
                group.create_task(self._workers.follow()),
            ]
            if self._settings.allow_verify:
                tasks.append(group.create_task(keep_marked(self._settings.redis_url, self._keepers)))
            await self._stop_asked.wait()
            for task in tasks:
                task.cancel()
            await self._stop_all()
            drawing.cancel()

    async def _bring_up(self, group: asyncio.TaskGroup) -> None:
        """Start the broker, then all others; say so when they have started."""
        if not await self._start(group, self._plan.brokers):
            self._fail("the broker cannot be started, and nothing works without it")
            return
        await self._start(group, self._plan.others)
        await self._start(group, self._plan.last, patience_s=LAST_PATIENCE_S)
        self._screen.end_start(closing_lines(self._plan, self._settings))
        await ScaledWorkers(
            self._plan.parts,
            self._settings.redis_url,
            start=lambda part: self._add(group, part),
            stop=self._remove,
        ).follow()

    async def _start(
        self, group: asyncio.TaskGroup, parts: Sequence[Part], *, patience_s: float = START_PATIENCE_S
    ) -> bool:
        """Start some parts together; return whether all became ready."""
        keepers = [keeper for keeper in self._keepers if keeper.part in parts]
        for keeper in keepers:
            group.create_task(keeper.run())
        try:
            async with asyncio.timeout(patience_s):
                return all(await asyncio.gather(*(keeper.settled() for keeper in keepers)))
        except TimeoutError:
            for keeper in keepers:
                if keeper.state not in {"ready", "failed"}:
                    log = self._log_path(keeper.part.name)
                    text = f"is not ready after {patience_s:.0f} s; it may still come, see {log}"
                    self._screen.part_event(keeper.part, text, "warning")
            return False

    def _add(self, group: asyncio.TaskGroup, part: Part) -> ProcessRunner:
        """Keep one more part running, until it is removed or everything stops."""
        keeper = self._keeper(part)
        self._keepers.append(keeper)
        group.create_task(keeper.run())
        self._screen.part_event(part, "is started", "info")
        return keeper

    async def _remove(self, keeper: ProcessRunner) -> None:
        """Stop a part that is needed no more; what it works on may end."""
        await keeper.stop(self._settings.drain_s + STOP_MARGIN_S)
        self._keepers.remove(keeper)
        self._on_change(keeper)
        self._screen.part_event(keeper.part, "is stopped", "info")

    async def _stop_all(self) -> None:
        """Stop role by role; what feeds others stops before them."""
        self._screen.say(
            f"stopping; turns under way have {self._settings.drain_s:g} s, a second signal kills"
        )
        grace_s = self._settings.drain_s + STOP_MARGIN_S
        for roles in STOP_ORDER:
            stopping = [keeper.stop(grace_s) for keeper in self._keepers if keeper.part.role in roles]
            await asyncio.gather(*stopping)
        if self._failure is None:
            self._screen.say("stopped")

    async def _require_redis(self) -> None:
        if self._plan.brokers:
            return
        address = redis_address(self._settings)
        if not await self._readiness.redis_answers():
            if self._readiness.is_refused:
                raise StartError(f"REDIS_URL: the Redis at {address} wants another password")
            raise StartError(f"REDIS_URL: no Redis answers at {address}; start it, or unset REDIS_URL")
        self._screen.say(f"using the Redis at {address} (REDIS_URL)")

    async def _draw(self) -> None:
        while True:
            self._screen.refresh()
            await asyncio.sleep(REFRESH_S)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        loop.add_signal_handler(signal.SIGUSR1, self._rolling.ask)

    def _on_signal(self) -> None:
        if self._stop_asked.is_set():
            for keeper in self._keepers:
                keeper.kill()
        self._stop_asked.set()

    def _keeper(self, part: Part) -> ProcessRunner:
        return ProcessRunner(
            part,
            environment=self._environment,
            readiness=self._readiness,
            log=PartLog(self._log_path(part.name)),
            listener=Listener(
                on_change=self._on_change,
                on_event=self._screen.part_event,
                on_output=self._screen.part_output,
                on_turn=self._screen.turn_ended,
                on_end=self._workers.on_end,
            ),
            leave_within_s=self._settings.drain_s + LEAVE_MARGIN_S,
        )

    def _disk_watch(self) -> DiskWatch:
        redis_url = self._settings.redis_url if self._plan.brokers else None
        return DiskWatch(
            self._settings.data_dir, redis_url, say=self._screen.say, on_healed=self._write_upfile
        )

    def _log_path(self, name: str) -> Path:
        return self._settings.data_dir / "log" / f"{name}.log"

    def _on_change(self, keeper: ProcessRunner) -> None:
        self._screen.part_changed(keeper)
        self._write_upfile()
        if all(each.state == "failed" for each in self._keepers):
            self._fail("nothing could be started")

    def _write_upfile(self) -> None:
        self._upfile.write(
            RunningProcess(
                name=each.part.name,
                pid=each.pid,
                port=each.part.address.port if each.part.address else None,
                role=each.part.role,
                host=each.part.address.host if each.part.address else "",
            )
            for each in self._keepers
        )

    def _fail(self, reason: str) -> None:
        self._failure = reason
        self._stop_asked.set()

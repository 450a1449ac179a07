"""Supervisor of `dispatcher up`: starts a plan in order, keeps it running, stops it in the opposite order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from dispatcher.errors import StartError, StateError
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.settings import Settings
from dispatcher.supervisor.banner import banner_lines, redis_address
from dispatcher.supervisor.chaos_marker import refresh_marker
from dispatcher.supervisor.cpu_throttle import CpuThrottle, find_throttle
from dispatcher.supervisor.disk_watch import DiskWatch
from dispatcher.supervisor.instance_actions import InstanceActions
from dispatcher.supervisor.plan import Plan
from dispatcher.supervisor.process_runner import Listener, ProcessRunner
from dispatcher.supervisor.readiness import Readiness
from dispatcher.supervisor.rolling_restart import RollingRestart
from dispatcher.supervisor.runner_group import RunnerGroup
from dispatcher.supervisor.scaled_workers import ScaledWorkers
from dispatcher.supervisor.state_file import RunningProcess, StateFile
from dispatcher.supervisor.stuck_workers import WorkerWatch
from dispatcher.supervisor.terminal_ui import TerminalUi

UI_REFRESH_INTERVAL_S: Final = 0.125
# Loading speech models on a small, busy host takes its time; after this the operator gets the prompt anyway.
START_TIMEOUT_S: Final = 120.0
# What no turn needs must not keep the operator waiting.
LAST_START_TIMEOUT_S: Final = 10.0


class Supervisor:
    """Runs a plan until SIGINT, SIGTERM or SIGHUP; a second signal kills at once."""

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        environment: Mapping[str, str],
        *,
        ui: TerminalUi,
        state_file: StateFile,
    ) -> None:
        """Run a plan; `environment` has the variables of the processes."""
        self._plan = plan
        self._settings = settings
        self._ui = ui
        self._state_file = state_file
        self._failure = ""
        self._stop_requested = asyncio.Event()
        self._readiness = Readiness(self._settings.redis_url)
        self._redis = RedisClient(connect(self._settings.redis_url))
        workers = WorkerWatch(self._redis)
        listener = Listener(
            on_change=self._on_change,
            on_event=self._ui.show_event,
            on_output=self._ui.show_output,
            on_turn=self._ui.show_turn,
            on_end=workers.on_end,
        )
        self._group = RunnerGroup(self._settings, environment, readiness=self._readiness, listener=listener)
        self._workers = workers

    async def run(self) -> None:
        """Start everything, wait for a signal, stop everything; nothing that was started is left.

        Raises:
            StartError: Redis does not answer, or nothing at all could be started.
        """
        for spec in self._plan.specs:
            self._group.add(spec)
        try:
            await self._require_redis()
            self._ui.open(self._group.runners)
            await self._run_until_stopped()
        finally:
            self._ui.close()
            await self._readiness.close()
            with suppress(StateError):
                await self._redis.close()
        if self._failure:
            raise StartError(self._failure)

    async def _run_until_stopped(self) -> None:
        rolling = RollingRestart(self._settings.data_dir, self._group, self._ui.say)
        self._handle_signals(rolling)
        async with asyncio.TaskGroup() as group:
            drawing = group.create_task(self._draw())
            instances = InstanceActions(self._group, self._redis, CpuThrottle(find_throttle()), tasks=group)
            work = [self._bring_up(group, instances), rolling.follow(), self._disk_watch().follow()]
            work.append(self._workers.follow(self._group.runners))
            if self._settings.allow_verify:
                work.append(refresh_marker(self._redis, self._group.runners))
            tasks = [group.create_task(each) for each in work]
            await self._stop_requested.wait()
            for task in tasks:
                task.cancel()
            with suppress(StateError):
                await instances.withdraw_all()
            drain_s = self._settings.drain_s
            self._ui.say(f"stopping; turns under way have {drain_s:g} s, a second signal kills")
            await self._group.stop()
            if not self._failure:
                self._ui.say("stopped")
            drawing.cancel()

    async def _bring_up(self, group: asyncio.TaskGroup, instances: InstanceActions) -> None:
        """Start the broker, then all others; show the banner, then follow the wanted number of workers."""
        if not await self._group.start(group, self._plan.brokers, START_TIMEOUT_S):
            self._fail("the broker cannot be started, and nothing works without it")
            return
        await self._group.start(group, self._plan.others, START_TIMEOUT_S)
        await self._group.start(group, self._plan.last, LAST_START_TIMEOUT_S)
        self._ui.end_start(banner_lines(self._plan, self._settings))
        await ScaledWorkers(
            self._plan.specs,
            self._redis,
            start=partial(self._group.start_scaled, group),
            stop=self._group.remove,
            instances=instances,
        ).follow()

    async def _require_redis(self) -> None:
        if self._plan.brokers:
            return
        address = redis_address(self._settings)
        if not await self._readiness.redis_answers():
            if self._readiness.is_refused:
                raise StartError(f"REDIS_URL: the Redis at {address} wants another password")
            raise StartError(f"REDIS_URL: no Redis answers at {address}; start it, or unset REDIS_URL")
        self._ui.say(f"using the Redis at {address} (REDIS_URL)")

    async def _draw(self) -> None:
        while True:
            if not self._ui.refresh():
                return
            await asyncio.sleep(UI_REFRESH_INTERVAL_S)

    def _handle_signals(self, rolling: RollingRestart) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        loop.add_signal_handler(signal.SIGUSR1, rolling.wake)

    def _on_signal(self) -> None:
        if self._stop_requested.is_set():
            self._group.kill()
        self._stop_requested.set()

    def _disk_watch(self) -> DiskWatch:
        return DiskWatch(
            self._settings.data_dir,
            self._redis if self._plan.brokers else None,
            say=self._ui.say,
            on_healed=self._write_state_file,
        )

    def _on_change(self, runner: ProcessRunner) -> None:
        self._ui.show_change(runner)
        self._write_state_file()
        if all(each.state == "failed" for each in self._group.runners):
            self._fail("nothing could be started")

    def _write_state_file(self) -> None:
        self._state_file.write(
            RunningProcess(
                name=each.spec.name,
                pid=each.pid,
                port=each.spec.address.port if each.spec.address else None,
                role=each.spec.role,
                host=each.spec.address.host if each.spec.address else "",
            )
            for each in self._group.runners
        )

    def _fail(self, reason: str) -> None:
        self._failure = reason
        self._stop_requested.set()

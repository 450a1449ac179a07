"""Watch over workers: those that stand still are killed, and fronts learn at once of those that ended."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import psutil

from dispatcher.errors import StateError
from dispatcher.redis_client.client import RedisClient
from dispatcher.supervisor.process_runner import ProcessRunner
from dispatcher.turn_store import worker_heartbeats
from dispatcher.turn_store.worker_heartbeats import WorkerBeat

WORKER_POLL_INTERVAL_S: Final = 0.5
STUCK_AFTER_S: Final = 3.0
# One that computes may only be starved of processor time, together with the loop that shows its life.
BUSY_STUCK_AFTER_S: Final = 10.0
BUSY_CPU_RATIO: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Silence of a worker.

    Attributes:
        beat: the last heartbeat.
        since_s: when it was seen, by the clock of the loop.
        cpu_s: processor time of the process when the next one was missed first; None before.
    """

    beat: WorkerBeat
    since_s: float
    cpu_s: float | None = None


class WorkerWatch:
    """Polls the heartbeats of the workers of this supervisor."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._silences: dict[int, Silence] = {}
        self._polled_at_s = 0.0

    async def follow(self, runners: Sequence[ProcessRunner]) -> None:
        """Watch the workers among these, for ever; the list may grow and shrink.

        While Redis is unreachable, or this process itself was late, no worker counts as silent.
        """
        while True:
            try:
                beats = await worker_heartbeats.read_beats(self._redis)
            except StateError:
                beats = []
                self._silences.clear()
            here = socket.gethostname()
            self.observe(
                runners,
                {beat.pid: beat for beat in beats if beat.host == here},
                now_s=asyncio.get_running_loop().time(),
            )
            await asyncio.sleep(WORKER_POLL_INTERVAL_S)

    def on_end(self, pid: int) -> None:
        """Report a process that ended: what it had in hand need not wait until its heartbeats are missed."""
        silence = self._silences.pop(pid, None)
        if silence is not None:
            with suppress(StateError):
                worker_heartbeats.mark_lost(self._redis, silence.beat)

    def observe(
        self, runners: Sequence[ProcessRunner], beats: Mapping[int, WorkerBeat], *, now_s: float
    ) -> None:
        """Kill the ready workers among these whose heartbeats, by process id, stay the same for too long."""
        if now_s - self._polled_at_s > 2 * WORKER_POLL_INTERVAL_S:
            self._silences.clear()
        self._polled_at_s = now_s
        for runner in runners:
            if runner.spec.role == "worker" and runner.state == "ready" and runner.pid is not None:
                self._check(runner, runner.pid, beats.get(runner.pid), now_s)

    def _check(self, runner: ProcessRunner, pid: int, beat: WorkerBeat | None, now_s: float) -> None:
        before = self._silences.get(pid)
        if beat is not None and (before is None or beat.at_ms > before.beat.at_ms):
            self._silences[pid] = Silence(beat=beat, since_s=now_s)
            return
        # Without any heartbeat so far it is of another pool, which sends none.
        if before is None or before.beat.is_leaving:
            return
        if before.cpu_s is None:
            before = self._silences[pid] = replace(before, cpu_s=cpu_s(pid))
        silent_s = now_s - before.since_s
        if silent_s >= BUSY_STUCK_AFTER_S or (
            silent_s >= STUCK_AFTER_S and not is_busy(pid, before, silent_s)
        ):
            del self._silences[pid]
            runner.replace(f"has stood still for {silent_s:.0f} s; killed")


def is_busy(pid: int, silence: Silence, silent_s: float) -> bool:
    """Return whether a process works, or waits for a processor or a disk, and does not merely stand."""
    try:
        status = psutil.Process(pid).status()
    except psutil.Error:
        return False
    if status == psutil.STATUS_STOPPED:
        return False
    return (
        status != psutil.STATUS_SLEEPING or (cpu_s(pid) - (silence.cpu_s or 0.0)) / silent_s > BUSY_CPU_RATIO
    )


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used; 0 for one that is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)

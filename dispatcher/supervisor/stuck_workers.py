"""Workers that stand still are killed, so that others follow; fronts are told of those that ended."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from dispatcher.errors import StateError
from dispatcher.redis_client.client import RedisClient, connect
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
    """For how long a worker shows no life.

    Attributes:
        beat: the last sign of life.
        since_s: when it was seen, by the clock of the loop.
        cpu_s: processor time of the process by then.
    """

    beat: WorkerBeat
    since_s: float
    cpu_s: float


class WorkerWatch:
    """Polls the signs of life of the workers that are kept here."""

    def __init__(self, redis_url: str, keepers: Sequence[ProcessRunner]) -> None:
        """Watch the workers among these; the list may grow and shrink."""
        self._keepers = keepers
        self._redis = RedisClient(connect(redis_url))
        self._silences: dict[int, Silence] = {}
        self._polled_at_s = 0.0

    async def follow(self) -> None:
        """Poll for ever. While Redis is away, or this process itself was late, nobody is blamed."""
        try:
            while True:
                try:
                    beats = await worker_heartbeats.read_beats(self._redis)
                except StateError:
                    beats = []
                    self._silences.clear()
                self._take_in({beat.pid: beat for beat in beats if beat.host == socket.gethostname()})
                await asyncio.sleep(WORKER_POLL_INTERVAL_S)
        finally:
            with suppress(StateError):
                await self._redis.close()

    def on_end(self, pid: int) -> None:
        """Take in that a process ended: what it had in hand need not wait until it is missed."""
        silence = self._silences.pop(pid, None)
        if silence is not None:
            with suppress(StateError):
                worker_heartbeats.mark_lost(self._redis, silence.beat)

    def _take_in(self, beats: dict[int, WorkerBeat]) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._polled_at_s > 2 * WORKER_POLL_INTERVAL_S:
            self._silences.clear()
        self._polled_at_s = now_s
        for keeper in self._keepers:
            if keeper.part.role == "worker" and keeper.state == "ready" and keeper.pid is not None:
                self._judge(keeper, keeper.pid, beats.get(keeper.pid), now_s)

    def _judge(self, keeper: ProcessRunner, pid: int, beat: WorkerBeat | None, now_s: float) -> None:
        before = self._silences.get(pid)
        if beat is not None and (before is None or beat.at_ms > before.beat.at_ms):
            self._silences[pid] = Silence(beat=beat, since_s=now_s, cpu_s=cpu_s(pid))
            return
        # Without any sign of life so far it is of another pool, which gives none.
        if before is None or before.beat.is_leaving:
            return
        silent_s = now_s - before.since_s
        if silent_s >= BUSY_STUCK_AFTER_S or (
            silent_s >= STUCK_AFTER_S and not is_busy(pid, before, silent_s)
        ):
            del self._silences[pid]
            keeper.replace(f"has stood still for {silent_s:.0f} s; killed")


def is_busy(pid: int, silence: Silence, silent_s: float) -> bool:
    """Return whether a process works, or waits for a processor or a disk, and does not merely stand."""
    import psutil  # noqa: PLC0415  it would slow every start

    try:
        status = psutil.Process(pid).status()
    except psutil.Error:
        return False
    if status == psutil.STATUS_STOPPED:
        return False
    return status != psutil.STATUS_SLEEPING or (cpu_s(pid) - silence.cpu_s) / silent_s > BUSY_CPU_RATIO


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used; 0 for one that is gone."""
    import psutil  # noqa: PLC0415  it would slow every start

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)

"""Which silent worker stands still, and which is only kept from its work."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from dispatcher.supervisor.stuck_workers import Silence, WorkerWatch, cpu_s, is_busy
from dispatcher.turn_store.worker_heartbeats import WorkerBeat
from tests.support.virtual_time import run_in_virtual_time
from tests.support.waiting import eventually
from tests.unit.memory_redis import MemoryRedis
from tests.unit.supervisor.fake_process import Kept

SLEEPS = "import time; time.sleep(99)"
COMPUTES = "while True: pass"


@pytest.fixture
def start() -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Return a starter of programs, which end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(program: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-S", "-c", program]))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def silence(pid: int) -> Silence:
    beat = WorkerBeat(worker=f"here:{pid}:a", host="here", pid=pid, at_ms=1.0)
    return Silence(beat=beat, since_s=0.0, cpu_s=cpu_s(pid))


Start = Callable[[str], subprocess.Popen[bytes]]


def test_one_that_sleeps_for_good_stands_still(start: Start) -> None:
    pid = start(SLEEPS).pid
    eventually(lambda: psutil.Process(pid).status() == psutil.STATUS_SLEEPING, what="it sleeps")

    assert not is_busy(pid, silence(pid), 3.0)


def test_one_that_computes_is_busy_until_it_is_stopped(start: Start) -> None:
    process = start(COMPUTES)
    before = silence(process.pid)

    assert is_busy(process.pid, before, 3.0)
    process.send_signal(signal.SIGSTOP)
    eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, what="it is stopped")
    assert not is_busy(process.pid, before, 3.0)


def test_one_that_is_gone_is_not_busy(start: Start) -> None:
    process = start(SLEEPS)
    before = silence(process.pid)
    process.kill()
    process.wait()

    assert not is_busy(process.pid, before, 3.0)
    assert cpu_s(process.pid) == 0.0


@pytest.mark.parametrize(
    ("beats_at_s", "is_killed"),
    [
        ((0, 1, 2, 3, 4, 5), False),
        ((0,), True),
        ((), False),  # of a pool without heartbeats
    ],
    ids=["it beats", "its last heartbeat is old", "it never had one"],
)
def test_a_ready_worker_is_replaced_when_its_heartbeats_end(
    beats_at_s: Sequence[int], *, is_killed: bool, tmp_path: Path
) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path)
        running = asyncio.create_task(kept.runner.run())
        await kept.until("ready")
        pid = kept.process.pid
        watch = WorkerWatch(MemoryRedis().redis())
        latest = None
        for step in range(11):
            now_s = step * 0.5
            if now_s in beats_at_s:
                latest = WorkerBeat(worker="here:a", host="here", pid=pid, at_ms=1 + now_s)
            watch.observe([kept.runner], {pid: latest} if latest else {}, now_s=now_s)
        assert ("kill" in kept.process.signals) == is_killed
        kept.runner.kill()
        await running

    run_in_virtual_time(scenario())

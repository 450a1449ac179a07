"""Table of the faults. Each is a block: what it does is undone at its end, however that comes.

A new fault is a row of `FAULTS`; one that neither signals a process nor sets the switch of an instance is a
context manager of its own.
"""

from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from dispatcher.bundled.fault_setting import read_fault
from dispatcher.control.overrides import OVERRIDES_POLL_INTERVAL_S, read_overrides, set_override
from dispatcher.messages import Service
from dispatcher.ops.chaos.environment import running
from dispatcher.ops.chaos.full_disk import full_disk
from dispatcher.ops.chaos.read_only_disk import read_only_disk
from dispatcher.ops.chaos.simulated_devices import SimulatedDevices
from dispatcher.ops.chaos.system_under_test import SystemUnderTest, clear_fault
from dispatcher.ops.fault_switch import FaultUnavailable
from dispatcher.supervisor.chaos_marker import MarkedProcess
from dispatcher.telemetry.front_presence import read_fronts

# Devices of the overload have numbers of their own.
OVERLOAD_FIRST_DEVICE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultContext:
    """Everything that a fault works on.

    Attributes:
        devices: those that talk all the time.
        lasts_s: for how long it will be left in place.
        entry_urls: where further devices connect.
    """

    system: SystemUnderTest
    devices: SimulatedDevices
    device_count: int
    lasts_s: float
    entry_urls: tuple[str, ...]


# Yields what was done, in words.
Inject = Callable[[FaultContext], AbstractAsyncContextManager[str]]
_Find = Callable[[SystemUnderTest], Awaitable[MarkedProcess]]


def signalled(how: signal.Signals, words: str, find: _Find) -> Inject:
    """Return the fault that sends a signal to a process; the environment starts another one in its place."""

    @asynccontextmanager
    async def inject(context: FaultContext) -> AsyncGenerator[str]:
        process = await find(context.system)
        await context.system.send(process, how)
        try:
            yield f"{words.format(process.name)} (pid {process.pid})"
        finally:
            if how == signal.SIGSTOP:
                with suppress(FaultUnavailable):  # it was replaced
                    await asyncio.shield(context.system.send(process, signal.SIGCONT))

    return inject


def process_of(role: str, *, missing: str, queue: str = "") -> _Find:
    """Return how to find a process by its role and queue."""
    return lambda system: system.process_of(role, missing=missing, queue=queue)


def switched(service: Service, written: str) -> Inject:
    """Return the fault that lets an instance fail in a mode, such as slow=10; of this service if possible."""
    fault = read_fault(written)

    @asynccontextmanager
    async def inject(context: FaultContext) -> AsyncGenerator[str]:
        switch = (await context.system.instance_of(service, with_switch=True)).switch
        try:
            # Longer than the fault is meant to last: it is the end for a run that was killed.
            await switch.set(fault, for_s=2 * context.lasts_s + 10)
            yield f"{switch.name} does {written}"
        finally:
            await asyncio.shield(clear_fault(switch))

    return inject


async def _tts_instance(system: SystemUnderTest) -> MarkedProcess:
    return (await system.instance_of("tts", with_switch=False)).process


@asynccontextmanager
async def overload(context: FaultContext) -> AsyncGenerator[str]:
    """Let no more devices in than there are, and connect as many again."""
    redis = context.system.redis
    before = (await read_overrides(redis)).max_devices
    fronts = max(1, len(await read_fronts(redis)))
    added = SimulatedDevices(context.entry_urls, context.device_count, first=OVERLOAD_FIRST_DEVICE)
    try:
        await set_override(redis, "max_devices", math.ceil(context.device_count / fronts))
        await asyncio.sleep(2 * OVERRIDES_POLL_INTERVAL_S)
        async with added.talking(context.system.session):
            yield f"{context.device_count} more devices than are let in"
    finally:
        await asyncio.shield(set_override(redis, "max_devices", before))
        # Refusals are what they have to expect; those that were let in count like all others.
        context.devices.turns += [each for each in added.turns if each.outcome != "refused"]


@asynccontextmanager
async def empty_redis(context: FaultContext) -> AsyncGenerator[str]:
    """Delete every key of the stack's Redis, as after a loss of its file; nothing brings them back."""
    if not running(await context.system.processes(), "broker"):
        raise FaultUnavailable(_NO_BROKER)
    await context.system.redis.execute("FLUSHALL")
    yield "every key of Redis is gone"


_NO_WORKER: Final = "the stack runs no worker of its own"
_NO_BROKER: Final = "the stack runs no broker; REDIS_URL names another one's"
_LLM_WORKER: Final = process_of("worker", queue="llm", missing=_NO_WORKER)
_ASR_WORKER: Final = process_of("worker", queue="asr", missing=_NO_WORKER)
_TTS_WORKER: Final = process_of("worker", queue="tts", missing=_NO_WORKER)
_CONTROL_WORKER: Final = process_of("worker", queue="control", missing=_NO_WORKER)
_BEAT: Final = process_of("beat", missing="the stack runs no beat")
_BROKER: Final = process_of("broker", missing=_NO_BROKER)
_FRONT: Final = process_of("front", missing="the stack runs no front")

# Faults of one instance come first; what takes everything away for a moment comes last.
DEFAULT_FAULTS: Final = (
    *("kill", "slow", "fast-fail", "flap", "stall", "worker", "stopped-worker", "overload", "disk"),
    *("redis", "front"),
)
FAULTS: Final[Mapping[str, Inject]] = {
    "kill": signalled(signal.SIGKILL, "kill -9 of {}", _tts_instance),
    "slow": switched("asr", "slow=10"),
    "fast-fail": switched("llm", "fast-error"),
    "flap": switched("tts", "flap=2"),
    "stall": switched("llm", "stall-after=3"),
    "hang": switched("llm", "hang"),
    "error": switched("asr", "error"),
    "drip": switched("tts", "drip=2"),
    "refuse": switched("tts", "refuse"),
    "stopped-instance": signalled(signal.SIGSTOP, "SIGSTOP to {}", _tts_instance),
    "worker": signalled(signal.SIGKILL, "kill -9 of worker {}", _LLM_WORKER),
    "asr-worker": signalled(signal.SIGKILL, "kill -9 of worker {}", _ASR_WORKER),
    "tts-worker": signalled(signal.SIGTERM, "SIGTERM to worker {}", _TTS_WORKER),
    "control-worker": signalled(signal.SIGKILL, "kill -9 of worker {}", _CONTROL_WORKER),
    "beat": signalled(signal.SIGKILL, "kill -9 of {}", _BEAT),
    "stopped-worker": signalled(signal.SIGSTOP, "SIGSTOP to worker {}", _LLM_WORKER),
    "overload": overload,
    "disk": lambda _: full_disk(),
    "read-only": lambda _: read_only_disk(),
    "redis": signalled(signal.SIGTERM, "SIGTERM to the {}", _BROKER),
    "redis-kill": signalled(signal.SIGKILL, "kill -9 of the {}", _BROKER),
    "stopped-redis": signalled(signal.SIGSTOP, "SIGSTOP to the {}", _BROKER),
    "empty-redis": empty_redis,
    "front": signalled(signal.SIGTERM, "SIGTERM to {}", _FRONT),
    "front-kill": signalled(signal.SIGKILL, "kill -9 of {}", _FRONT),
    "stopped-front": signalled(signal.SIGSTOP, "SIGSTOP to {}", _FRONT),
}

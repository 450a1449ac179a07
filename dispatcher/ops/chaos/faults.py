"""The faults that are tried. Each is a block: what it does is undone at its end, however that comes."""

from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from dispatcher.control.overrides import OVERRIDES_POLL_INTERVAL_S, read_overrides, set_override
from dispatcher.messages import SERVICES, Service
from dispatcher.ops.chaos.environment import NotHere
from dispatcher.ops.chaos.full_disk import full_disk
from dispatcher.ops.chaos.simulated_devices import SimulatedDevices
from dispatcher.ops.chaos.system_under_test import Target
from dispatcher.supervisor.chaos_marker import MarkedProcess
from dispatcher.telemetry.front_presence import read_fronts

# Devices of the crowd have numbers of their own.
CROWD_FIRST: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a fault works on.

    Attributes:
        residents: the devices that talk all the time.
        lasts_s: for how long it will be left in place.
        doors: where a crowd wants in.
    """

    target: Target
    residents: SimulatedDevices
    devices: int
    lasts_s: float
    doors: tuple[str, ...]


# Yields what was done, in words.
Inject = Callable[[Scene], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def kill_instance(scene: Scene) -> AsyncGenerator[str]:
    """Kill an instance's process; whoever keeps the stack starts it again."""
    victim = await scene.target.victim(rather("tts"), with_switch=False)
    await scene.target.kill(victim.part, signal.SIGKILL)
    yield f"kill -9 of {victim.part.name} (pid {victim.part.pid})"


def switched(service: Service, mode: str, value: float | None = None) -> Inject:
    """Return the fault that lets one instance fail in a mode, of this service if it can spare one."""

    @asynccontextmanager
    async def inject(scene: Scene) -> AsyncGenerator[str]:
        victim = await scene.target.victim(rather(service), with_switch=True)
        try:
            # Longer than the fault is meant to last: it is the end for a run that was killed.
            await scene.target.switch(victim, mode, value, for_s=2 * scene.lasts_s + 10)
            yield f"{victim.instance.name} does {mode}{'' if value is None else f'={value:g}'}"
        finally:
            await asyncio.shield(scene.target.end_fault(victim))

    return inject


@asynccontextmanager
async def kill_worker(scene: Scene) -> AsyncGenerator[str]:
    """Kill the worker of the LLM queue with all that it works on."""
    part = worker_of(await scene.target.running("worker"), "llm")
    if part is None:
        raise NotHere("the stack runs no worker of its own")
    await scene.target.kill(part, signal.SIGKILL)
    yield f"kill -9 of worker {part.name} (pid {part.pid})"


@asynccontextmanager
async def stop_worker(scene: Scene) -> AsyncGenerator[str]:
    """Let the worker of the LLM queue stand still; whoever keeps the stack kills it and starts another."""
    part = worker_of(await scene.target.running("worker"), "llm")
    if part is None:
        raise NotHere("the stack runs no worker of its own")
    await scene.target.kill(part, signal.SIGSTOP)
    try:
        yield f"SIGSTOP to worker {part.name} (pid {part.pid})"
    finally:
        with suppress(NotHere):  # it was replaced
            await asyncio.shield(scene.target.kill(part, signal.SIGCONT))


@asynccontextmanager
async def restart_redis(scene: Scene) -> AsyncGenerator[str]:
    """Stop the broker; it is started again and reads its file."""
    brokers = await scene.target.running("broker")
    if not brokers:
        raise NotHere("the stack runs no broker; REDIS_URL names another one's")
    await scene.target.kill(brokers[0], signal.SIGTERM)
    yield f"SIGTERM to the broker (pid {brokers[0].pid})"


@asynccontextmanager
async def restart_front(scene: Scene) -> AsyncGenerator[str]:
    """Stop a front as an upgrade does; it is started again."""
    fronts = await scene.target.running("front")
    if not fronts:
        raise NotHere("the stack runs no front")
    await scene.target.kill(fronts[0], signal.SIGTERM)
    yield f"SIGTERM to {fronts[0].name} (pid {fronts[0].pid})"


@asynccontextmanager
async def overload(scene: Scene) -> AsyncGenerator[str]:
    """Let no more devices in than there are, and as many again knock."""
    redis = scene.target.redis
    before = (await read_overrides(redis)).max_devices
    fronts = max(1, len(await read_fronts(redis)))
    crowd = SimulatedDevices(scene.doors, scene.devices, first=CROWD_FIRST)
    try:
        await set_override(redis, "max_devices", math.ceil(scene.devices / fronts))
        await asyncio.sleep(2 * OVERRIDES_POLL_INTERVAL_S)  # fronts look at their knobs once in this time
        async with crowd.living(scene.target.session):
            yield f"{scene.devices} more devices than are let in"
    finally:
        await asyncio.shield(set_override(redis, "max_devices", before))
        # To be turned away is what they have to expect; whoever was let in counts like everybody.
        scene.residents.turns += [each for each in crowd.turns if each.outcome != "refused"]


@asynccontextmanager
async def fill_disk(_: Scene) -> AsyncGenerator[str]:
    """Fill the disk of DATA_DIR, where it is one of its own; turns go on."""
    async with full_disk() as said:
        yield said


def rather(service: Service) -> tuple[Service, ...]:
    """Return all services, this one first: a box may have two instances of another one only."""
    return (service, *(each for each in SERVICES if each != service))


def worker_of(parts: Sequence[MarkedProcess], queue: str) -> MarkedProcess | None:
    """Return the worker that carries the name of a queue; any but the control worker where none does."""
    named = [part for part in parts if part.name in (queue, f"worker-{queue}")]
    others = [part for part in parts if part.name != "control"]
    return next(iter([*named, *others]), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault by its name; `lasts_ratio` scales the time that it is left in place."""

    name: str
    inject: Inject
    lasts_ratio: float = 1.0


# Those that hurt one instance come first; what takes everything away for a moment comes last.
FAULTS: Final[Mapping[str, Fault]] = {
    fault.name: fault
    for fault in (
        Fault(name="kill", inject=kill_instance),
        Fault(name="slow", inject=switched("asr", "slow", 10)),
        Fault(name="fast-fail", inject=switched("llm", "fast-error")),
        Fault(name="flap", inject=switched("tts", "flap", 2)),
        Fault(name="stall", inject=switched("llm", "stall-after", 3)),
        Fault(name="worker", inject=kill_worker),
        Fault(name="stopped-worker", inject=stop_worker),
        Fault(name="overload", inject=overload),
        Fault(name="disk", inject=fill_disk),
        Fault(name="redis", inject=restart_redis),
        Fault(name="front", inject=restart_front),
    )
}

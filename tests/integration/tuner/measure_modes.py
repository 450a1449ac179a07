"""Measurement for ADR 29: act against observe on a running stack, under each of the four causes.

`python -m tests.integration.tuner.measure_modes [SECONDS [CAUSE…]]` takes 18 minutes and stops by itself.
The stack's use of CPU and memory is real; the limits that it is compared with are files of a mount namespace
that only the stack sees, so that other programs of the machine do not count.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp
import psutil

from dispatcher.bundled.fault_setting import read_fault
from dispatcher.control import tuner_store
from dispatcher.control.overrides import set_override
from dispatcher.ops.chaos.simulated_devices import SimulatedDevices
from dispatcher.ops.chaos.turn_outcomes import DeviceTurn
from dispatcher.ops.fault_switch import FaultSwitch
from dispatcher.percentile import percentile
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.telemetry import kpi_store
from tests.integration.verify.chaos_stack import ChaosStack

TICK_SCALE: Final = 0.1
LASTS_S: Final = 75.0
AFTER_S: Final = 35.0
DEVICES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseRun:
    """One cause, and what the stack has in cores and memory meanwhile, as parts of what it uses at ease."""

    name: str
    faults: tuple[tuple[str, str], ...] = ()
    cpu_room: float = 9.0
    memory_room: float = 2.0
    devices: int = DEVICES


CAUSES: Final = (
    CauseRun(name="errors", faults=(("llm-1", "flap=1"), ("llm-2", "flap=1.4"), ("tts-1", "flap=1"))),
    CauseRun(name="response", faults=(("llm-1", "slow=40"), ("llm-2", "slow=40")), devices=24),
    CauseRun(name="cpu", cpu_room=1.0, devices=24),
    CauseRun(name="memory", memory_room=1.06),
)


class LimitedStack(ChaosStack):
    """A stack that takes the files of a folder for the limits of its container."""

    def __init__(self, folder: Path) -> None:
        """Write limits that nothing comes near."""
        self.cgroups = folder / "cgroup"
        for name in ("cpu,cpuacct", "memory"):
            (self.cgroups / name).mkdir(parents=True)
        binds = f'mount --bind "{self.cgroups}" /sys/fs/cgroup'
        super().__init__(folder, inside=("unshare", "--mount", "sh", "-c", f'{binds} && exec "$@"', "sh"))
        self.environ["TICK_SCALE"] = str(TICK_SCALE)
        self._cpu_s: dict[int, float] = {}
        self.limit(cores=64.0, megabytes=20_000)

    def limit(self, *, cores: float, megabytes: float) -> None:
        """Write the limits."""
        cpu, memory = self.cgroups / "cpu,cpuacct", self.cgroups / "memory"
        (cpu / "cpu.cfs_period_us").write_text("100000")
        (cpu / "cpu.cfs_quota_us").write_text(str(int(cores * 100_000)))
        (memory / "memory.limit_in_bytes").write_text(str(int(megabytes * 1e6)))
        self.measure()

    def measure(self) -> tuple[float, float]:
        """Write what the processes of the stack use, and return it: CPU seconds so far, and MB."""
        used_bytes = 0
        with suppress(OSError, ValueError, KeyError):
            up = json.loads((Path(self.environ_of_commands["DATA_DIR"]) / "up.json").read_text())
            for pid in filter(None, [up["pid"], *(each["pid"] for each in up["processes"])]):
                with suppress(psutil.Error):
                    process = psutil.Process(pid)
                    self._cpu_s[pid] = sum(process.cpu_times()[:2])
                    used_bytes += process.memory_info().rss
        used_s = sum(self._cpu_s.values())
        (self.cgroups / "cpu,cpuacct" / "cpuacct.usage").write_text(str(int(used_s * 1e9)))
        (self.cgroups / "memory" / "memory.usage_in_bytes").write_text(str(used_bytes))
        return used_s, used_bytes / 1e6


@dataclass(slots=True)
class Measured:
    """What one run showed."""

    turns: list[DeviceTurn]
    above_ratio: dict[str, float]
    actions: list[str]

    def row(self, cause: str, mode: str) -> str:
        """Return it as a row of a table."""
        heard = [turn.first_audio_ms for turn in self.turns if turn.first_audio_ms is not None]
        failed = sum(turn.is_failed for turn in self.turns)
        above = self.above_ratio.get(cause, 0.0)
        first = f"{median(heard):.0f} / {percentile(heard, 0.95):.0f}" if heard else "–"
        cells = (
            cause,
            mode,
            len(self.turns),
            f"{failed / max(1, len(self.turns)):.1%}",
            first,
            f"{above:.0%}",
        )
        return f"| {' | '.join(map(str, cells))} | {'; '.join(self.actions) or '–'} |"


async def run(
    stack: LimitedStack, redis: RedisClient, cause: CauseRun, mode: str, lasts_s: float
) -> Measured:
    """Let a cause hold for a while, then be gone for a while; return what turns and figures showed."""
    await redis.execute("DEL", keys.TUNER_STATE, keys.TUNER, keys.OVERRIDES, keys.TURNS, keys.DECISIONS)
    await set_override(redis, "tuner_mode", mode)
    urls = (f"http://127.0.0.1:{stack.environ_of_commands['FRONT_PORT']}",)
    devices = SimulatedDevices(urls, cause.devices)
    above: dict[str, list[bool]] = {"errors": [], "response": [], "cpu": [], "memory": []}
    async with aiohttp.ClientSession() as session, devices.talking(session):
        await watch(stack, redis, devices, above, for_s=10.0)
        cores, megabytes = await at_ease(stack)
        for found in above.values():
            found.clear()
        began_s = time.time()
        stack.limit(cores=cores * cause.cpu_room, megabytes=megabytes * cause.memory_room)
        await set_faults(stack, session, cause, for_s=lasts_s)
        await watch(stack, redis, devices, above, for_s=lasts_s)
        stack.limit(cores=64.0, megabytes=20_000)
        await watch(stack, redis, devices, above, for_s=AFTER_S)
    turns = [turn for turn in devices.turns if turn.asked_at_s >= began_s]
    log = await tuner_store.read_log(redis)
    actions = [f"{each.first.action.in_words()} ({each.latest.event})" for each in log]
    shares = {name: sum(each) / max(1, len(each)) for name, each in above.items()}
    return Measured(turns=turns, above_ratio=shares, actions=actions)


async def at_ease(stack: LimitedStack) -> tuple[float, float]:
    """Return cores and MB that the stack uses now."""
    before_s, at_s = stack.measure()[0], time.monotonic()
    await asyncio.sleep(5.0)
    used_s, megabytes = stack.measure()
    return (used_s - before_s) / (time.monotonic() - at_s), megabytes


async def set_faults(
    stack: LimitedStack, session: aiohttp.ClientSession, cause: CauseRun, *, for_s: float
) -> None:
    """Let instances fail; they are well again by themselves."""
    for name, written in cause.faults:
        switch = FaultSwitch(session=session, name=name, url=f"http://127.0.0.1:{stack.ports[name]}")
        await switch.set(read_fault(written), for_s=for_s)


async def watch(
    stack: LimitedStack,
    redis: RedisClient,
    devices: SimulatedDevices,
    above: dict[str, list[bool]],
    *,
    for_s: float,
) -> None:
    """Note twice a second which of R12's limits is passed, by the turns of the last five seconds."""
    ends_s = time.monotonic() + for_s
    while time.monotonic() < ends_s:
        await asyncio.sleep(0.5)
        stack.measure()
        recent = [turn for turn in devices.turns if turn.ended_at_s > time.time() - 5]
        heard = [turn.first_audio_ms for turn in recent if turn.first_audio_ms is not None]
        snapshot = await kpi_store.read_snapshot(redis)
        host = snapshot.box if snapshot else None
        above["errors"].append(bool(recent) and sum(t.is_failed for t in recent) / len(recent) > 0.05)
        above["response"].append(bool(heard) and median(heard) > 1000)
        above["cpu"].append(host is not None and (host.cpu_ratio or 0.0) > 0.85)
        above["memory"].append(host is not None and host.memory_ratio > 0.90)


async def measure_all(
    stack: LimitedStack, lasts_s: float, names: list[str], say: Callable[[str], Awaitable[None]]
) -> None:
    """Measure these causes, or all, in both modes."""
    redis = RedisClient(connect(stack.broker_url))
    for cause in (each for each in CAUSES if not names or each.name in names):
        for mode in ("observe", "act"):
            await say((await run(stack, redis, cause, mode, lasts_s)).row(cause.name, mode))
    await redis.close()


def main() -> None:
    """Start the stack, measure, stop it."""

    async def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory() as folder:
        stack = LimitedStack(Path(folder))
        try:
            stack.start()
            lasts_s = float(sys.argv[1]) if sys.argv[1:] else LASTS_S
            asyncio.run(measure_all(stack, lasts_s, sys.argv[2:], say))
        finally:
            stack.finish()


if __name__ == "__main__":
    main()

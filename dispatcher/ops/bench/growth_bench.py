"""Bench of a front that grows: devices that are connected and silent, and devices that come, speak and go."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import aiohttp
import click
import psutil
from rich.console import Console
from rich.table import Table

from dispatcher.device_simulator import Address, DeviceOptions, connect
from dispatcher.device_simulator.speech import encode
from dispatcher.errors import DispatcherError
from dispatcher.ops.bench.bench_stack import running_stack
from dispatcher.ops.bench.bench_tables import bench_table, json_option
from dispatcher.ops.bench.cost_bench import at_once, timed_engines
from dispatcher.ops.bench.device_speech import speech_pcm
from dispatcher.ops.bench.process_usage import UsageMeter
from dispatcher.ops.bench.timed_services import small_stack
from dispatcher.ops.interruptible import run_interruptible
from dispatcher.terminal.figures import write_results

STEPS: Final = 5
SETTLE_S: Final = 3.0
WATCHED_S: Final = 10.0
CONNECTING_AT_ONCE: Final = 20
CYCLES_AT_ONCE: Final = 8
TURN_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthSample:
    """One point of the curve.

    Attributes:
        count: devices that are connected, or cycles so far.
        lost: cycles without an answer so far.
        front_cpu_ratio: of one core since the point before.
    """

    count: int
    lost: int
    front_cpu_ratio: float
    front_mb: float
    worker_mb: float
    descriptors: int
    threads: int


class GrowingStack:
    """A stack whose front and worker are watched while devices come."""

    def __init__(self, session: aiohttp.ClientSession, url: str, pids: dict[str, int]) -> None:
        """Begin without devices."""
        self._session = session
        self._address = Address(url=url)
        self._options = DeviceOptions(keep_audio=False, mcp=False)
        self._speech = encode(speech_pcm(), self._options)
        self._pids = pids
        self._meter = UsageMeter(pids)
        self.lost = 0

    async def connect_idle(self, devices: AsyncExitStack, numbers: range) -> None:
        """Connect devices of these numbers, which stay until `devices` is closed."""
        free = asyncio.Semaphore(CONNECTING_AT_ONCE)

        async def one(number: int) -> None:
            async with free:
                await devices.enter_async_context(connect(self._session, self._address, self._named(number)))

        await asyncio.gather(*(one(number) for number in numbers))

    async def cycle(self, numbers: range) -> None:
        """Connect, speak one turn and leave, once for each number."""
        free = asyncio.Semaphore(CYCLES_AT_ONCE)

        async def one(number: int) -> None:
            async with free:
                try:
                    async with connect(self._session, self._address, self._named(number)) as device:
                        result = await device.turn(at_once(self._speech), timeout_s=TURN_TIMEOUT_S)
                        self.lost += not result.frames
                except DispatcherError:
                    self.lost += 1

        await asyncio.gather(*(one(number) for number in numbers))

    def restart_meter(self) -> None:
        """Measure CPU from now on."""
        self._meter = UsageMeter(self._pids)

    def sample(self, count: int) -> GrowthSample:
        """Return the next point, and measure CPU from here on."""
        reading = self._meter.read()
        front = psutil.Process(self._pids["front"])
        self.restart_meter()
        return GrowthSample(
            count=count,
            lost=self.lost,
            front_cpu_ratio=reading.usages["front"].cpu_s / reading.wall_s,
            front_mb=reading.usages["front"].pss_mb or 0.0,
            worker_mb=reading.usages["worker"].pss_mb or 0.0,
            descriptors=front.num_fds(),
            threads=front.num_threads(),
        )

    def _named(self, number: int) -> DeviceOptions:
        return replace(self._options, device_id=f"02:be:00:00:{number >> 8 & 255:02x}:{number & 255:02x}")


@click.command("growth", short_help="Measure idle devices, and devices that come and go.")
@click.option("--idle", type=click.IntRange(0), default=3000, show_default=True, help="Silent devices.")
@click.option(
    "--cycles",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="Devices that come and go.",
)
@json_option
def growth(*, idle: int, cycles: int, json_file: Path | None) -> None:
    """Print how a front grows with silent devices, and with devices that connect, speak a turn and leave.

    A cycle takes a tenth of a second on a quiet machine of two cores.
    """
    console = Console()
    started_s = time.monotonic()
    found = run_interruptible(measure_growth(idle, cycles))
    tables = {title: growth_table(title, samples) for title, samples in found.items()}
    for table in tables.values():
        console.print(table)
    write_results(json_file, tables)
    console.print(f"{time.monotonic() - started_s:.0f} s in all", highlight=False)


async def measure_growth(idle: int, cycles: int) -> dict[str, list[GrowthSample]]:
    """Return the points of both curves.

    Raises:
        StartError: a process of the stack failed.
        FrontError: a device was not let in.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    async with AsyncExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="dispatcher-growth-")))
        plan, _ = await running.enter_async_context(small_stack(folder, timed_engines()))
        limits = {"MAX_DEVICES": str(idle + CYCLES_AT_ONCE), "IDLE_TIMEOUT_S": "3600"}
        plan = replace(plan, environment={**plan.environment, **limits})
        stack = await running.enter_async_context(running_stack(plan, lambda _: None))
        connector = aiohttp.TCPConnector(limit=0)
        session = await running.enter_async_context(aiohttp.ClientSession(connector=connector))
        growing = GrowingStack(session, plan.url, stack.pids())
        return {"cycles": await _cycles(growing, cycles), "silent devices": await _silent(growing, idle)}


async def _silent(growing: GrowingStack, idle: int) -> list[GrowthSample]:
    samples = []
    async with AsyncExitStack() as devices:
        for numbers in steps_below(idle):
            await growing.connect_idle(devices, numbers)
            await asyncio.sleep(SETTLE_S)
            growing.restart_meter()
            await asyncio.sleep(WATCHED_S)
            samples.append(growing.sample(numbers.stop))
    return samples


async def _cycles(growing: GrowingStack, cycles: int) -> list[GrowthSample]:
    samples = []
    for numbers in steps_below(cycles):
        await growing.cycle(numbers)
        samples.append(growing.sample(numbers.stop))
    return samples


def steps_below(count: int) -> list[range]:
    """Return the numbers below a count in a few steps, after one of none."""
    ends = [round(count * step / STEPS) for step in range(STEPS + 1)] if count else [0]
    return [range(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]


def growth_table(title: str, samples: Sequence[GrowthSample]) -> Table:
    """Return the points of one curve."""
    table = bench_table(title, "lost", "front CPU", "front MB", "worker MB", "descriptors", "threads")
    for each in samples:
        sizes = (f"{each.front_mb:.0f}", f"{each.worker_mb:.0f}", str(each.descriptors), str(each.threads))
        table.add_row(str(each.count), str(each.lost), f"{each.front_cpu_ratio:.1%}", *sizes)
    return table

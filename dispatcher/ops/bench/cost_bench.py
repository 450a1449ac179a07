"""Bench of what a turn costs, in counts that a busy machine does not change.

One device speaks turns to a front and a worker of its own. The commands that a turn sends to Redis and its
calls into our own packages are compared with figures that are kept for each version of Python: the first
must be the same, the second may grow a little. What runs by the clock is left out: commands and functions
that an idle stack has too, and reads that wait.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import aiohttp
import click
from rich.console import Console

from dispatcher.bundled.engines import Engine
from dispatcher.bundled.timed_engines import (
    TimedAsr,
    TimedAsrOptions,
    TimedLlm,
    TimedLlmOptions,
    TimedTts,
    TimedTtsOptions,
)
from dispatcher.device_simulator import Address, DeviceOptions, SimulatedDevice, connect
from dispatcher.device_simulator.speech import encode
from dispatcher.errors import FrontError
from dispatcher.messages import Service
from dispatcher.ops.bench.bench_stack import running_stack
from dispatcher.ops.bench.bench_tables import json_option
from dispatcher.ops.bench.cost_meter import CostMeter, Counts, cost_of
from dispatcher.ops.bench.cost_report import PYTHON, TurnCost, cost_table, read_figures, write_figures
from dispatcher.ops.bench.device_speech import speech_pcm
from dispatcher.ops.bench.timed_services import ANSWER, small_stack
from dispatcher.ops.interruptible import run_interruptible
from dispatcher.redis_client.connection import connect as connect_redis
from dispatcher.supervisor.process_spec import Role
from dispatcher.telemetry.front_presence import PRESENCE_INTERVAL_S
from dispatcher.terminal.figures import write_results

RUNS: Final = 3
# Long enough that a front publishes its presence.
IDLE_S: Final = PRESENCE_INTERVAL_S + 0.2
# What a turn leaves to do: a worker ends what it took at its next heartbeat.
SETTLE_S: Final = 0.6
COUNTED_ROLES: Final[frozenset[Role]] = frozenset({"front", "worker"})
TURN_TIMEOUT_S: Final = 20.0


@click.command("cost", short_help="Count the commands and calls of a turn.")
@click.option("--write", is_flag=True, help="Keep these figures for this version of Python.")
@json_option
def cost(*, write: bool, json_file: Path | None) -> None:
    """Count the commands to Redis and the calls of our own code that one turn costs.

    They are compared with the figures kept for this version of Python. Exit code 1: other commands, or
    more calls.
    """
    console = Console()
    found = run_interruptible(measure_cost())
    kept = read_figures()
    table = cost_table(found, kept)
    console.print(table)
    write_results(json_file, {"": table}, asdict(found))
    if write:
        write_figures(found)
        return
    problems = (
        found.problems(kept) if kept else [f"no figures are kept for Python {PYTHON}; --write keeps these"]
    )
    for problem in problems:
        console.print(f"[red]FAIL[/]  {problem}", highlight=False)
    raise SystemExit(1 if problems else 0)


async def measure_cost() -> TurnCost:
    """Return the smallest cost of a few turns, after one that warms up.

    Raises:
        StartError: a process of the stack failed.
        FrontError: a turn was not answered.
    """
    async with AsyncExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="dispatcher-cost-")))
        plan, _ = await running.enter_async_context(small_stack(folder, timed_engines()))
        plan = replace(plan, counted_roles=COUNTED_ROLES)
        await running.enter_async_context(running_stack(plan, lambda _: None))
        redis = connect_redis(plan.environment["REDIS_URL"], socket_timeout_s=None)
        running.push_async_callback(redis.aclose)
        names = [line.name for line in plan.lines if line.name != "broker"]
        meter = CostMeter(redis, {name: plan.counts_path(name) for name in names})
        await running.enter_async_context(meter.following())
        session = await running.enter_async_context(aiohttp.ClientSession())
        options = DeviceOptions(keep_audio=False)
        device = await running.enter_async_context(connect(session, Address(url=plan.url), options))
        return await measure_turns(meter, device, encode(speech_pcm(), options))


async def measure_turns(meter: CostMeter, device: SimulatedDevice, speech: list[bytes]) -> TurnCost:
    """Return the smallest cost of a few turns of a device."""
    await _turn(device, speech)
    await asyncio.sleep(SETTLE_S)
    idle = (await meter.read(), await _read_after(meter, IDLE_S))
    costs = []
    for _ in range(RUNS):
        before = await meter.read()
        await _turn(device, speech)
        costs.append(cost_of(before, await _read_after(meter, SETTLE_S), idle))
    return TurnCost.smallest(costs)


async def _turn(device: SimulatedDevice, speech: list[bytes]) -> None:
    result = await device.turn(at_once(speech), timeout_s=TURN_TIMEOUT_S)
    if result.transcript_ms is None or not result.frames:
        raise FrontError("bench cost: a turn was not answered")


async def _read_after(meter: CostMeter, pause_s: float) -> Counts:
    await asyncio.sleep(pause_s)
    return await meter.read()


async def at_once(packets: list[bytes]) -> AsyncGenerator[bytes]:
    """Yield packets without a pause between them."""
    for packet in packets:
        yield packet


def timed_engines() -> dict[Service, Engine]:
    """Return engines that are as quick as they can be without bunching what they stream."""
    return {
        "asr": TimedAsr(TimedAsrOptions(delay_s=0.02)),
        "llm": TimedLlm(
            TimedLlmOptions(first_token_s=0.02, tokens_per_s=100, token_characters=4, text=ANSWER)
        ),
        "tts": TimedTts(TimedTtsOptions(first_audio_s=0.05, audio_s_per_character=0.02)),
    }

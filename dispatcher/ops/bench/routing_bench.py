"""`dispatcher bench routing`: the balancing alone, on a Valkey of its own."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import click

from dispatcher.event_loop import new_event_loop
from dispatcher.messages import Algorithm
from dispatcher.ops.bench.bench_stack import broker_alone
from dispatcher.ops.bench.bench_tables import json_option
from dispatcher.ops.bench.contention_load import ContentionPlan
from dispatcher.ops.bench.measuring_process import measure
from dispatcher.ops.bench.process_usage import UsageMeter
from dispatcher.ops.bench.progress import BenchProgress
from dispatcher.ops.bench.routing_load import (
    SERVICE,
    CountingLine,
    Timing,
    begin,
    burst,
    count_cost,
    instances,
    shares,
    time_calls,
    time_pings,
)
from dispatcher.ops.bench.routing_report import Hammered, RoutingReport, print_routing, routing_tables
from dispatcher.ops.interruptible import run_interruptible
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.terminal.console import make_console
from dispatcher.terminal.figures import write_results

CALLERS: Final = (1, 4, 16)
ALGORITHMS: Final[tuple[Algorithm, ...]] = get_args(Algorithm)
BURST: Final = 60
BURST_LINES: Final = 3
COST_CALLS: Final = 100
HAMMER_CAP: Final = 4
HAMMER_CALLERS: Final = 8
WATCH_EVERY_S: Final = 0.002
# A process that starts takes about a second on a slow machine.
HAMMER_START_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingPlan:
    """How much is measured: calls of each row, cycles of each algorithm, hammering processes and seconds."""

    calls: int
    cycles: int
    processes: int
    seconds: float


@click.command("routing", short_help="Measure the balancing alone.")
@click.option("--calls", type=click.IntRange(10), default=4000, show_default=True, help="Calls of each row.")
@click.option(
    "--cycles", type=click.IntRange(1), default=100, show_default=True, help="Cycles of each algorithm."
)
@click.option("--processes", type=click.IntRange(1, 64), default=4, show_default=True, help="On one cap.")
@click.option("--seconds", type=click.FloatRange(0.1), default=3.0, show_default=True, help="On one cap.")
@json_option
def routing(*, calls: int, cycles: int, processes: int, seconds: float, json_file: Path | None) -> None:
    """Measure the balancing alone: how long a pick takes, and whether shares and caps are exact.

    It runs a Valkey of its own on a free port and leaves nothing behind. The default takes about half a
    minute.
    """
    plan = RoutingPlan(calls=calls, cycles=cycles, processes=processes, seconds=seconds)
    console = make_console()
    bench = run_routing(plan, BenchProgress(console))
    report = run_interruptible(bench, loop_factory=new_event_loop)
    print_routing(console, report)
    write_results(json_file, routing_tables(report))


async def run_routing(plan: RoutingPlan, progress: BenchProgress) -> RoutingReport:
    """Measure on a Valkey that lives as long as this.

    Raises:
        StartError: it, or a measuring process, failed.
    """
    async with AsyncExitStack() as running:
        running.enter_context(progress)
        stack, url = await running.enter_async_context(broker_alone())
        lines = [CountingLine(connect(url)) for _ in range(BURST_LINES)]
        for line in lines:
            running.push_async_callback(line.close)
        meter = UsageMeter({"bench": os.getpid(), **stack.pids()})
        pings, timings = await _time(lines[0], plan, progress)
        reading = meter.read()
        cost = await count_cost(lines[0], COST_CALLS)
        went, admitted = await _distribute(lines, plan, progress)
        return RoutingReport(
            pings=pings,
            timings=timings,
            cost=cost,
            shares=went,
            bursts=admitted,
            hammered=await _hammer(lines[0], url, plan, progress),
            other_programs_ratio=reading.other_programs_ratio,
        )


async def _time(
    redis: RedisClient, plan: RoutingPlan, progress: BenchProgress
) -> tuple[Timing, tuple[Timing, ...]]:
    with progress.step("picks", plan.calls * len(CALLERS)) as on_call:
        pings = await time_pings(redis, plan.calls)
        timings = [await time_calls(redis, callers, plan.calls, on_call) for callers in CALLERS]
    return pings, tuple(timings)


async def _distribute(
    lines: Sequence[RedisClient], plan: RoutingPlan, progress: BenchProgress
) -> tuple[dict[Algorithm, Counter[str]], dict[Algorithm, Counter[str]]]:
    went, admitted = {}, {}
    with progress.step("shares and bursts", len(ALGORITHMS)) as on_algorithm:
        for algorithm in ALGORITHMS:
            went[algorithm] = await shares(lines[0], algorithm, plan.cycles)
            admitted[algorithm] = await burst(lines, algorithm, BURST)
            on_algorithm()
    return went, admitted


async def _hammer(redis: RedisClient, url: str, plan: RoutingPlan, progress: BenchProgress) -> Hammered:
    """Return what processes on one cap came to; the leases are also counted from outside all the time."""
    await begin(redis, "least_connections", instances(weights={"A": 1.0}, caps={"A": HAMMER_CAP}))
    hammer = ContentionPlan(redis_url=url, callers=HAMMER_CALLERS, seconds=plan.seconds)
    seen = 0
    with progress.step("caps under fire", plan.processes) as on_end:
        timeout_s = HAMMER_START_S + plan.seconds
        hammers = [
            asyncio.create_task(measure("contention_load", hammer, timeout_s=timeout_s, on_turn=_nothing))
            for _ in range(plan.processes)
        ]
        for each in hammers:
            each.add_done_callback(lambda _: on_end())
        try:
            while not all(each.done() for each in hammers):
                seen = max(seen, int(await redis.execute("ZCARD", keys.leases(SERVICE, "A"))))
                await asyncio.wait(hammers, timeout=WATCH_EVERY_S)
        finally:
            for each in hammers:
                each.cancel()
            said = await asyncio.gather(*hammers)
    return Hammered(
        taken=tuple(each["taken"] for each in said),
        most=max(seen, *(each["most"] for each in said)),
        cap=HAMMER_CAP,
    )


def _nothing() -> None:
    """Hear of progress that a hammer does not make."""

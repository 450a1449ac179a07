"""Bench of faults: the time of the first result when an instance fails, in each way."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import aiohttp
import click
import yaml

from dispatcher.bundled.fault_setting import read_fault
from dispatcher.catalogue import load_catalogue
from dispatcher.device_simulator import Address, DeviceOptions, connect
from dispatcher.errors import ConfigError
from dispatcher.logs import configure_logging
from dispatcher.messages import SERVICES, Service
from dispatcher.ops.bench.bench_stack import SLOTS, StackPlan, plan_stack, ready_stack
from dispatcher.ops.bench.bench_tables import json_option
from dispatcher.ops.bench.fault_cases import FAULT_CASES, ServiceCase
from dispatcher.ops.bench.fault_report import FaultReport, ModeResult, fault_table, print_faults
from dispatcher.ops.bench.fault_turns import FaultTurns
from dispatcher.ops.bench.process_usage import UsageMeter
from dispatcher.ops.bench.progress import BenchProgress
from dispatcher.ops.interruptible import run_interruptible
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.client import connect as connect_redis
from dispatcher.settings import load_settings
from dispatcher.supervisor.procfile import Line
from dispatcher.terminal.console import make_console
from dispatcher.terminal.figures import write_results

# The one that fails has more room, so that `response_time` prefers it for as long as it is healthy.
SUBSTITUTE_SLOTS: Final = SLOTS * 5 // 8
# Faults in a real house are far apart; here the budget for second requests earns back what one mode spends.
FAULT_REST_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultBenchPlan:
    """Extent of the bench.

    Attributes:
        case: whose instance fails.
        turns: with each fault, the first one that met it among them.
        rest_s: pause before each fault.
        first_token_s: how quick the LLM instances are while they do right.
    """

    case: ServiceCase
    modes: tuple[str, ...]
    turns: int
    rest_s: float
    first_token_s: float


@click.command("faults", short_help="Measure answers while an instance fails.")
@click.option("--service", type=click.Choice(SERVICES), default="llm", show_default=True, help="Who fails.")
@click.option("--modes", default="", help="Ways to fail, such as none,hang. Default: all that make sense.")
@click.option("--turns", type=click.IntRange(2, 100), default=8, show_default=True, help="With each fault.")
@click.option(
    "--rest",
    "rest_s",
    type=click.FloatRange(0),
    default=FAULT_REST_S,
    show_default=True,
    help="Seconds before each fault, in which a worker saves up for a second request.",
)
@click.option(
    "--first-token",
    "first_token_s",
    type=click.FloatRange(0.001),
    default=0.1,
    show_default=True,
    help="Seconds to the first token of an LLM instance that does right.",
)
@json_option
def faults(
    *, service: Service, modes: str, turns: int, rest_s: float, first_token_s: float, json_file: Path | None
) -> None:
    """Measure how late the first result is when one of two instances fails: transcript, sentence or audio.

    It runs a dispatcher of its own on free ports, with timed instances, and leaves nothing behind. The
    default takes about two minutes.
    """
    case = FAULT_CASES[service]
    plan = FaultBenchPlan(
        case=case,
        modes=parse_modes(modes or case.modes, case),
        turns=turns,
        rest_s=rest_s,
        first_token_s=first_token_s,
    )
    configure_logging(load_settings({"LOG_LEVEL": "warning"}))  # it restores instances all the time
    console = make_console()
    report = run_interruptible(run_faults(plan, BenchProgress(console)))
    print_faults(console, report)
    write_results(
        json_file, {"": fault_table(report)}, {"results": [asdict(each) for each in report.results]}
    )


def parse_modes(text: str, case: ServiceCase) -> tuple[str, ...]:
    """Return "none,hang" as modes, each known to the timed instances and of some meaning for the service.

    Raises:
        ConfigError: one is not.
    """
    modes = tuple(word.strip() for word in text.split(",") if word.strip())
    problems = []
    for mode in modes:
        try:
            read_fault(mode)
        except ValueError as error:
            problems.append(f"--modes {mode}: {error}")
        if reason := case.excluded.get(mode.partition("=")[0]):
            problems.append(f"--modes {mode} with --service {case.service}: {reason}")
    if problems or not modes:
        raise ConfigError(problems or ["--modes: was empty; expected ways to fail, such as none,hang"])
    return modes


async def run_faults(plan: FaultBenchPlan, progress: BenchProgress) -> FaultReport:
    """Inject every fault into a stack that lives as long as this.

    Raises:
        StartError: a process of it failed.
    """
    with tempfile.TemporaryDirectory(prefix="dispatcher-bench-") as folder, progress:
        stack_plan = _fault_stack(plan_stack(Path(folder), None), plan)
        async with (
            ready_stack(stack_plan, progress) as stack,
            aiohttp.ClientSession() as session,
            connect(session, Address(url=stack_plan.url), DeviceOptions(keep_audio=False)) as device,
        ):
            meter = UsageMeter({"bench": os.getpid(), **stack.pids()})
            redis = RedisClient(connect_redis(stack_plan.environment["REDIS_URL"]))
            try:
                instances = load_catalogue(stack_plan.config).services[plan.case.service].instances
                turns = FaultTurns(redis, session, plan.case, instances, device)
                results = [await _try(turns, mode, plan, progress) for mode in plan.modes]
            finally:
                await redis.close()
            reading = meter.read()
    return FaultReport(
        case=plan.case,
        results=tuple(results),
        failing=turns.failing,
        other_programs_ratio=reading.other_programs_ratio,
    )


async def _try(turns: FaultTurns, mode: str, plan: FaultBenchPlan, progress: BenchProgress) -> ModeResult:
    """Return the turns from the first one that met a fault on, after a rest in good health."""
    with progress.step(mode, plan.turns) as on_turn:
        if plan.rest_s:
            await turns.restore()
            await asyncio.sleep(plan.rest_s)
        await turns.restore()
        await turns.inject(mode)
        results = [await turns.meet()]
        on_turn()
        while len(results) < plan.turns:
            results.append(await turns.speak())
            on_turn()
        await turns.inject("none")
    return ModeResult(mode=mode, turns=tuple(results))


def _fault_stack(plan: StackPlan, wanted: FaultBenchPlan) -> StackPlan:
    """Return the plan with quick instances, the first one of the service preferred while it is healthy."""
    case = wanted.case
    document: dict[str, Any] = yaml.safe_load(plan.config.read_text("utf-8"))
    service = document["load_balancing"]["api_gateway"][f"{case.service}_services"]
    service["algorithm"] = "response_time"
    service["instances"][1]["max_concurrent"] = SUBSTITUTE_SLOTS
    plan.config.write_text(yaml.safe_dump(document), "utf-8")
    options = dict(case.options)
    options["instance llm"] += f" --set first_token_s={wanted.first_token_s:g}"
    used = [line for line in plan.lines if not any(words in line.command for words in case.unused)]
    return replace(plan, lines=tuple(_with_options(line, options) for line in used))


def _with_options(line: Line, options: Mapping[str, str]) -> Line:
    added = [words for part, words in options.items() if part in line.command]
    return replace(line, command=" ".join([line.command, *added]))

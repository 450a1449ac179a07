"""`dispatcher bench faults`: how late the first sentence is when an LLM instance fails, in each way."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import aiohttp
import click
import yaml

from dispatcher.builtin.timed.faults import read_fault
from dispatcher.catalogue import load_catalogue
from dispatcher.cli.bench.devices import stop_on_sigterm
from dispatcher.cli.bench.fault_report import FaultReport, ModeResult, print_faults
from dispatcher.cli.bench.fault_turns import FaultTurns
from dispatcher.cli.bench.progress import BenchProgress
from dispatcher.cli.bench.stack import SLOTS, StackPlan, plan_stack, running_stack
from dispatcher.cli.bench.usage import UsageMeter, other_programs_ratio
from dispatcher.cli.supervisor.procfile import Line
from dispatcher.cli.supervisor.screen import make_console
from dispatcher.errors import ConfigError
from dispatcher.logs import configure_logging
from dispatcher.settings import load_settings
from dispatcher.softdevice import Address, DeviceOptions, connect
from dispatcher.state import line as state_line
from dispatcher.state.line import RedisLine

MODES: Final = "none,error,refuse,hang,keepalive,stall-after=3,drip=2s,fast-error"
# A quick model: its first sentence is whole after some 150 ms. The answer takes half a second to say.
LLM_OPTIONS: Final = "--set tokens_per_s=100 --set token_characters=4"
TTS_OPTIONS: Final = "--set first_audio_s=0.05 --set audio_s_per_character=0.006"
# Questions are typed: nobody has to hear them.
UNUSED: Final = ("instance asr", "-Q asr")
# The one that fails has more room, so that `response_time` prefers it for as long as it is well.
SUBSTITUTE_SLOTS: Final = SLOTS * 5 // 8
# Faults in a real house are far apart; here the budget for second requests earns back what one mode spends.
REST_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultsPlan:
    """What to try.

    Attributes:
        turns: with each fault, the first one that met it among them.
        rest_s: pause before each fault.
        first_token_s: how quick the instances are while they do right.
    """

    modes: tuple[str, ...]
    turns: int
    rest_s: float
    first_token_s: float


@click.command("faults")
@click.option("--modes", default=MODES, show_default=True, help="Ways to fail.")
@click.option("--turns", type=click.IntRange(2, 100), default=8, show_default=True, help="With each fault.")
@click.option(
    "--rest",
    "rest_s",
    type=click.FloatRange(0),
    default=REST_S,
    show_default=True,
    help="Seconds before each fault, in which a worker saves up for a second request.",
)
@click.option(
    "--first-token",
    "first_token_s",
    type=click.FloatRange(0.001),
    default=0.1,
    show_default=True,
    help="Seconds to the first token of an instance that does right.",
)
def faults(*, modes: str, turns: int, rest_s: float, first_token_s: float) -> None:
    """Measure how late the first sentence is when one of two LLM instances fails.

    It runs a dispatcher of its own on free ports, with timed instances, and leaves nothing behind. The
    default takes about two minutes.
    """
    plan = FaultsPlan(modes=parse_modes(modes), turns=turns, rest_s=rest_s, first_token_s=first_token_s)
    configure_logging(load_settings({"LOG_LEVEL": "warning"}))  # it restores instances all the time
    console = make_console()
    with asyncio.Runner() as runner:
        stop_on_sigterm(runner.get_loop())
        report = runner.run(run_faults(plan, BenchProgress(console)))
    print_faults(console, report)


def parse_modes(text: str) -> tuple[str, ...]:
    """Return "none,hang" as modes, each known to the timed instances.

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
    if problems or not modes:
        raise ConfigError(problems or ["--modes: was empty; expected ways to fail, such as none,hang"])
    return modes


async def run_faults(plan: FaultsPlan, progress: BenchProgress) -> FaultReport:
    """Try every fault on a stack that lives as long as this.

    Raises:
        StartError: a part of it failed.
    """
    with tempfile.TemporaryDirectory(prefix="dispatcher-bench-") as folder, progress:
        stack_plan = _fault_stack(plan_stack(Path(folder), None), plan.first_token_s)
        async with AsyncExitStack() as running:
            with progress.step("starting", len(stack_plan.lines)) as started:
                stack = await running.enter_async_context(running_stack(stack_plan, lambda _: started()))
            meter = UsageMeter({"bench": os.getpid(), **stack.pids()})
            turns = await running.enter_async_context(_one_device(stack_plan))
            results = [await _try(turns, mode, plan, progress) for mode in plan.modes]
            ratio = other_programs_ratio(meter.read())
    return FaultReport(results=tuple(results), failing=turns.failing, other_programs_ratio=ratio)


async def _try(turns: FaultTurns, mode: str, plan: FaultsPlan, progress: BenchProgress) -> ModeResult:
    """Return what a device heard from the first turn that met a fault on, after a rest in good health."""
    with progress.step(mode, plan.turns) as on_turn:
        if plan.rest_s:
            await turns.heal()
            await asyncio.sleep(plan.rest_s)
        await turns.heal()
        await turns.switch(mode)
        heard = [await turns.meet()]
        on_turn()
        while len(heard) < plan.turns:
            heard.append(await turns.speak())
            on_turn()
        await turns.switch("none")
    return ModeResult(mode=mode, turns=tuple(heard))


@asynccontextmanager
async def _one_device(plan: StackPlan) -> AsyncGenerator[FaultTurns]:
    """Connect a device to the stack, and a line to its decisions."""
    line = RedisLine(state_line.connect(plan.environment["REDIS_URL"]))
    try:
        async with (
            aiohttp.ClientSession() as session,
            connect(session, Address(url=plan.url), DeviceOptions(keep_audio=False)) as device,
        ):
            yield FaultTurns(line, session, load_catalogue(plan.config), device)
    finally:
        await line.close()


def _fault_stack(plan: StackPlan, first_token_s: float) -> StackPlan:
    """Return the plan with quick instances, the first LLM preferred while it is well; nobody is heard."""
    document: dict[str, Any] = yaml.safe_load(plan.config.read_text("utf-8"))
    instances = document["load_balancing"]["api_gateway"]["llm_services"]["instances"]
    instances[1]["max_concurrent"] = SUBSTITUTE_SLOTS
    plan.config.write_text(yaml.safe_dump(document), "utf-8")
    options = {"instance llm": f"{LLM_OPTIONS} --set first_token_s={first_token_s:g}"}
    options["instance tts"] = TTS_OPTIONS
    used = [line for line in plan.lines if not any(words in line.command for words in UNUSED)]
    return replace(plan, lines=tuple(_with_options(line, options) for line in used))


def _with_options(line: Line, options: Mapping[str, str]) -> Line:
    added = [words for part, words in options.items() if part in line.command]
    return replace(line, command=" ".join([line.command, *added]))

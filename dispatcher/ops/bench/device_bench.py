"""Bench of more and more devices: their waiting times, and the cost of each process."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import click
import yaml
from rich.console import Console

from dispatcher.audio.smart_turn import find_model
from dispatcher.errors import ConfigError
from dispatcher.ops.bench.baseline import BaselinePlan
from dispatcher.ops.bench.bench_stack import Stack, StackPlan, plan_stack, ready_stack
from dispatcher.ops.bench.bench_tables import json_option
from dispatcher.ops.bench.bounds import Run
from dispatcher.ops.bench.device_load import DeviceLoadPlan
from dispatcher.ops.bench.device_report import DeviceReport, print_report, summary_table
from dispatcher.ops.bench.measuring_process import measure
from dispatcher.ops.bench.process_usage import UsageMeter
from dispatcher.ops.bench.progress import BenchProgress
from dispatcher.ops.bench.samples import Samples
from dispatcher.ops.interruptible import run_interruptible
from dispatcher.settings import load_settings
from dispatcher.terminal.figures import write_results

DEFAULT_DEVICES: Final = "1,10,25,50,100,150,200"
# A percentile of three turns says little: a few devices speak more often.
FEWEST_SAMPLES: Final = 9
# Modules of this package that run as processes of their own.
BASELINE: Final = "baseline"
DEVICE_LOAD: Final = "device_load"
# 1.5 s of speech, 6 s of answer and a pause take 9 s; a machine at its limit takes longer.
TURN_TIMEOUT_S: Final = 30.0
START_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceBenchPlan:
    """Extent of the bench.

    Attributes:
        config: a YAML with instances that run already; None starts timed ones.
        tts_workers: processes of the TTS queue.
        auto: devices do not send the end of speech, which is found by this strategy; None: they do.
        keep: folder for logs and data; None uses one that is removed at the end.
    """

    devices: tuple[int, ...]
    turns: int
    config: Path | None
    tts_workers: int = 1
    auto: Literal["silence", "smart_turn"] | None = None
    keep: Path | None


@click.command("devices", short_help="Measure answers for more and more devices.")
@click.option(
    "--devices", "counts", default=DEFAULT_DEVICES, show_default=True, help="Numbers of devices to run."
)
@click.option(
    "--turns", type=click.IntRange(1, 100), default=3, show_default=True, help="Turns of each device."
)
@json_option
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A YAML whose instances run already; else timed instances are started.",
)
@click.option(
    "--tts-workers",
    type=click.IntRange(1, 4),
    default=1,
    show_default=True,
    help="Processes that serve the TTS queue.",
)
@click.option(
    "--auto",
    type=click.Choice(["silence", "smart_turn"]),
    help="Devices that do not send the end of speech; it is found by this strategy.",
)
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep logs and data in this folder."
)
def devices(counts: str, *, json_file: Path | None, **extent: Any) -> None:
    """Measure answers for more and more devices against the same calls made directly.

    It runs a dispatcher of its own on free ports and leaves nothing behind. The default takes about
    seven minutes.
    """
    plan = DeviceBenchPlan(devices=parse_counts(counts), **extent)
    console = Console()
    report = run_interruptible(run_bench(plan, BenchProgress(console)))
    print_report(console, report)
    write_results(json_file, {"summary": summary_table(report)}, report.as_json())


def parse_counts(text: str) -> tuple[int, ...]:
    """Return "1,10" as numbers, each once and in order.

    Raises:
        ConfigError: not whole numbers above 0.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isascii() and word.isdigit() and int(word) > 0 for word in words):
        raise ConfigError([f"--devices: was {text!r}; expected whole numbers above 0, such as 1,10,25"])
    return tuple(sorted({int(word) for word in words}))


async def run_bench(plan: DeviceBenchPlan, progress: BenchProgress) -> DeviceReport:
    """Run the baseline, each number of devices, and the baseline again.

    Raises:
        StartError: a process of the stack or a measuring process failed.
    """
    with _folder(plan.keep) as folder, progress:
        stack_plan = with_endpointing(
            plan_stack(folder, plan.config, tts_workers=plan.tts_workers), plan.auto
        )
        async with ready_stack(stack_plan, progress) as stack:
            before = await _run_baseline(stack_plan, plan, progress, "baseline")
            runs = [await _run_devices(stack, stack_plan, plan, count, progress) for count in plan.devices]
            after = await _run_baseline(stack_plan, plan, progress, "baseline again")
    return DeviceReport(before=before, after=after, runs=tuple(runs))


async def _run_baseline(
    stack_plan: StackPlan, plan: DeviceBenchPlan, progress: BenchProgress, title: str
) -> Samples:
    """Return the times of the calls alone."""
    turns = turns_of(1, plan.turns)
    baseline = BaselinePlan(config=str(stack_plan.config), turns=turns)
    timeout_s = START_TIMEOUT_S + (1 + turns) * TURN_TIMEOUT_S
    with progress.step(title, 1 + turns) as on_turn:
        return Samples.from_json(await measure(BASELINE, baseline, timeout_s=timeout_s, on_turn=on_turn))


async def _run_devices(
    stack: Stack, stack_plan: StackPlan, plan: DeviceBenchPlan, count: int, progress: BenchProgress
) -> Run:
    """Return the samples of so many devices, and the cost of every process meanwhile."""
    turns = turns_of(count, plan.turns)
    load = DeviceLoadPlan(url=stack_plan.url, devices=count, turns=turns, is_auto=plan.auto is not None)
    timeout_s = START_TIMEOUT_S + count * load.ramp_s + (1 + load.turns) * TURN_TIMEOUT_S
    meter = UsageMeter(stack.pids())
    with progress.step(f"{count} device{'s' if count > 1 else ''}", count * (1 + load.turns)) as on_turn:
        result = await measure(DEVICE_LOAD, load, timeout_s=timeout_s, on_turn=on_turn)
    return Run(devices=count, samples=Samples.from_json(result), reading=meter.read(), roles=stack.roles())


def with_endpointing(stack_plan: StackPlan, strategy: str | None) -> StackPlan:
    """Return a plan whose front ends utterances by a strategy; a YAML of the operator is not changed."""
    if strategy is None:
        return stack_plan
    content = yaml.safe_load(stack_plan.config.read_text("utf-8"))
    content["conversation"] = {**(content.get("conversation") or {}), "endpointing": strategy}
    config = stack_plan.folder / "auto.yaml"
    config.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    own = {"DISPATCHER_CONFIG": str(config)}
    if strategy == "smart_turn":
        settings = load_settings()
        model = find_model(settings.smart_turn_model, data_dir=settings.data_dir)
        own["SMART_TURN_MODEL"] = str(model.absolute())
    return replace(stack_plan, config=config, environment={**stack_plan.environment, **own})


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="dispatcher-bench-") as folder:
        yield Path(folder)


def turns_of(devices_count: int, turns: int) -> int:
    """Return how many turns each device holds."""
    return max(turns, math.ceil(FEWEST_SAMPLES / devices_count))

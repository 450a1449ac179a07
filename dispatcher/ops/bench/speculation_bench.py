"""Bench of speculation: what turns that begin at a pause gain and waste, at 30 to 110 % of the LLM places.

Two stacks run side by side, one with speculation and one without, and take each load one after the other.
Times are those of the front: first audio after the silence that ended the utterance.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from dispatcher.ops.bench.bench_stack import StackPlan, plan_loaded, ready_stack
from dispatcher.ops.bench.bench_tables import bench_table, json_option
from dispatcher.ops.bench.device_bench import parse_counts
from dispatcher.ops.bench.measuring_process import measure
from dispatcher.ops.bench.overload_load import PLACES, TURN_TIMEOUT_S, OverloadLoadPlan, devices_at
from dispatcher.ops.bench.progress import BenchProgress
from dispatcher.ops.interruptible import run_interruptible
from dispatcher.percentile import percentile
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.telemetry.speculation_figures import SpeculationFigures, read_figures
from dispatcher.telemetry.turn_log import TurnEnd, read_ends
from dispatcher.terminal.figures import write_results

DEFAULT_LEVELS: Final = "30,60,90,110"
# Eight places of 1.5 s: 0.3 s to the first token, and 47 tokens at 40 a second.
HOLD_S: Final = 1.5
# Answers are short, so that there are many turns in little time.
TTS_OPTIONS: Final = "--set audio_s_per_character=0.02"
# Speech, silence, ASR, answer and a pause of a turn that waits for nothing.
CYCLE_S: Final = 5.2
# So many utterances have a pause of 400 ms in the middle, at which a turn begins in vain.
HESITANT_RATIO: Final = 0.2
GOAL_MS: Final = 300
MEASURED: Final = "ms from the confirmed end of speech to the first audio"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeculationRow:
    """Result of one level, without or with speculation.

    Attributes:
        first_p50_ms, first_p95_ms: first audio after the silence that ended the utterance.
        goal_ratio: turns that were heard within GOAL_MS of it, of all.
        unanswered: turns without an answer.
        figures: of turns begun at a pause, and of LLM calls.
        waste_ratio: share of all LLM calls that was in vain.
    """

    level: int
    is_on: bool
    devices: int
    turns: int
    first_p50_ms: float
    first_p95_ms: float
    goal_ratio: float
    unanswered: int
    figures: SpeculationFigures
    waste_ratio: float


@click.command("speculation", short_help="Measure turns that begin before the end of speech.")
@click.option("--levels", default=DEFAULT_LEVELS, show_default=True, help="Per cent of the places' capacity.")
@click.option(
    "--seconds", type=click.FloatRange(5, 600), default=10, show_default=True, help="Length of each level."
)
@click.option(
    "--pause-ms", type=click.IntRange(32, 600), help="Silence after which a turn begins; else the default."
)
@json_option
def speculation(levels: str, seconds: float, pause_ms: int | None, json_file: Path | None) -> None:
    """Measure what turns that begin at a pause gain and waste while LLM places fill up.

    It runs two dispatchers of its own on free ports and leaves nothing behind.
    """
    console = Console()
    rows = run_interruptible(run_bench(parse_counts(levels), seconds, pause_ms, BenchProgress(console)))
    table = speculation_table(rows)
    console.print(f"[bold]{PLACES} LLM places of {HOLD_S} s; {MEASURED}[/]", highlight=False)
    console.print(table)
    write_results(json_file, {"": table}, {"rows": [asdict(row) for row in rows]})


async def run_bench(
    levels: Sequence[int], seconds: float, pause_ms: int | None, progress: BenchProgress
) -> list[SpeculationRow]:
    """Run each level without speculation and with it.

    Raises:
        StartError: a process of a stack or a measuring process failed.
    """
    rules = {} if pause_ms is None else {"pause_ms": pause_ms}
    with progress, tempfile.TemporaryDirectory(prefix="dispatcher-bench-") as folder:
        off = speculation_stack(Path(folder) / "off", rules=None)
        async with ready_stack(off, progress):
            on = speculation_stack(Path(folder) / "on", rules=rules)
            async with ready_stack(on, progress):
                return [
                    await _run_level(on if is_on else off, level, seconds, progress, is_on=is_on)
                    for level in levels
                    for is_on in (False, True)
                ]


def speculation_stack(folder: Path, *, rules: dict[str, int] | None) -> StackPlan:
    """Return a stack with eight LLM places and short answers; no rules switch speculation off."""
    folder.mkdir()
    sections = {"conversation": {"speculation": False if rules is None else {"enabled": True, **rules}}}
    return plan_loaded(folder, sections, llm_places=PLACES, service="tts", options=TTS_OPTIONS)


async def _run_level(
    plan: StackPlan, level: int, seconds: float, progress: BenchProgress, *, is_on: bool
) -> SpeculationRow:
    devices = devices_at(level, cycle_s=CYCLE_S, hold_s=HOLD_S)
    load = OverloadLoadPlan(
        url=plan.url,
        devices=devices,
        seconds=seconds,
        is_auto=True,
        hesitant_ratio=HESITANT_RATIO,
        recovery_timeout_s=0.0,
    )
    redis, began_at_s = RedisClient(connect(plan.environment["REDIS_URL"])), time.time()
    title = f"{level} %, speculation {'on' if is_on else 'off'}"
    try:
        await redis.execute("DEL", keys.SPECULATION)
        with progress.step(title, round(devices * seconds / CYCLE_S)) as on_turn:
            await measure("overload_load", load, timeout_s=seconds + 3 * TURN_TIMEOUT_S, on_turn=on_turn)
        ends = [end for end in await read_ends(redis, since_s=began_at_s) if end.silence_ms]
        return row_of(ends, await read_figures(redis), level=level, is_on=is_on, devices=devices)
    finally:
        await redis.close()


def row_of(
    ends: Sequence[TurnEnd], figures: SpeculationFigures, *, level: int, is_on: bool, devices: int
) -> SpeculationRow:
    """Return the figures of a level's turns."""
    firsts = [
        math.inf if end.first_audio_ms is None or end.outcome != "answered" else end.first_audio_ms
        for end in ends
    ]
    return SpeculationRow(
        level=level,
        is_on=is_on,
        devices=devices,
        turns=len(ends),
        first_p50_ms=percentile(firsts, 0.5) or 0.0,
        first_p95_ms=percentile(firsts, 0.95) or 0.0,
        goal_ratio=sum(first <= GOAL_MS for first in firsts) / max(1, len(firsts)),
        unanswered=firsts.count(math.inf),
        figures=figures,
        waste_ratio=figures.waste_ratio,
    )


def speculation_table(rows: Sequence[SpeculationRow]) -> Table:
    """Return a row for each level, without and with speculation, and the gain of the second."""
    columns = ("ahead", "turns", "p50/p95", f"in {GOAL_MS}", "lost", "gain", "begun/played", "in vain")
    table = bench_table("load", *columns)
    without = {row.level: row for row in rows if not row.is_on}
    for row in rows:
        cells = [f"{row.level} %", "on" if row.is_on else "off", str(row.turns)]
        cells += [f"{row.first_p50_ms:.0f}/{row.first_p95_ms:.0f}", f"{row.goal_ratio:.0%}"]
        cells += [str(row.unanswered)]
        if row.is_on and (off := without.get(row.level)) is not None:
            gains = (off.first_p50_ms - row.first_p50_ms, off.first_p95_ms - row.first_p95_ms)
            cells += ["/".join(f"{gain:+.0f}" for gain in gains)]
            cells += [f"{row.figures.started}/{row.figures.committed}"]
            cells += [f"{row.figures.wasted} ({row.waste_ratio:.0%})"]
        table.add_row(*cells)
    return table

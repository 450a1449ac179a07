"""Bench of more work than places: shares, waiting and work done twice, against first come, first served."""

from __future__ import annotations

import math
import re
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from dispatcher.ops.bench.bench_stack import StackPlan, plan_loaded, ready_stack
from dispatcher.ops.bench.bench_tables import bench_table, json_option, print_verdicts
from dispatcher.ops.bench.bounds import Verdict
from dispatcher.ops.bench.device_bench import parse_counts
from dispatcher.ops.bench.measuring_process import measure
from dispatcher.ops.bench.overload_load import (
    AUDIBLE_MS,
    OVERLOAD_ANSWER,
    PLACES,
    RAMP_S,
    TURN_TIMEOUT_S,
    OverloadLoadPlan,
    OverloadTurn,
    devices_at,
)
from dispatcher.ops.bench.progress import BenchProgress
from dispatcher.ops.interruptible import run_interruptible
from dispatcher.percentile import percentile
from dispatcher.terminal.figures import write_results

DEFAULT_LEVELS: Final = "60,100,200,300"
# Eight places of 2.7 s: 0.3 s to the first token, and the answer at two characters a token.
HOLD_S: Final = 2.7
TOKENS_PER_S: Final = len(OVERLOAD_ANSWER) / 2 / (HOLD_S - 0.3)
# A turn that waits for nothing, with its speech, its playback and the pause after it.
CYCLE_S: Final = 9.2
# From the first turn to answers that end as fast as the places give them; turns that end before do not count.
WARM_UP_S: Final = CYCLE_S + RAMP_S
RESENT: Final = "stage late, sent again"
# Goals of `overload: {enabled: true}`, at every level; that of the places where they get more than they take.
GAP_RATIO: Final = 0.01
CAPACITY_RATIO: Final = 0.95
AWAY_MS: Final = 1_000
RECOVERY_S: Final = 5.0
_STEP: Final = re.compile(r"overload step changed.*?\bstep\W{1,4}(\d)")
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverloadRow:
    """Result of one level.

    Attributes:
        audible_ratio: turns that were audible within two seconds, of all.
        capacity_ratio: answers in the time of the load, of those that the places could give.
        jain: fairness of the answers of the devices, 1 where all have as many.
        resent: stages that were sent a second time.
        turned_away: turns that were told "too many at once".
        away_p95_ms: first audio of these.
        top_step: the highest step of overload that the front took.
    """

    variant: str
    level: int
    devices: int
    turns: int
    first_p50_ms: float
    first_p95_ms: float
    audible_ratio: float
    gap_ratio: float
    unanswered: int
    capacity_ratio: float
    jain: float
    resent: int
    recovered_s: float
    turned_away: int = 0
    away_p95_ms: float = 0.0
    top_step: int = 0


@click.command("overload", short_help="Measure 60 to 300 % of what the LLM places can take.")
@click.option("--levels", default=DEFAULT_LEVELS, show_default=True, help="Per cent of the places' capacity.")
@click.option(
    "--seconds",
    type=click.FloatRange(5, 600),
    default=30,
    show_default=True,
    help="Time that is measured of each level.",
)
@click.option(
    "--only", type=click.Choice(["on", "off"]), help="`overload` on or off; else one after the other."
)
@json_option
def overload(levels: str, seconds: float, only: str | None, json_file: Path | None) -> None:
    """Measure turns while devices ask for 60 to 300 % of what eight LLM places can give.

    It runs a dispatcher of its own on free ports and leaves nothing behind. Exit code 1: a goal was missed.
    """
    console = Console()
    variants = [only] if only else ["off", "on"]
    rows = run_interruptible(run_bench(parse_counts(levels), seconds, variants, BenchProgress(console)))
    console.print(f"[bold]{PLACES} LLM places of {HOLD_S} s[/]", highlight=False)
    for title, table in overload_tables(rows).items():
        console.print(f"[bold]{title}[/]", highlight=False)
        console.print(table)
    verdicts = overload_verdicts(rows)
    print_verdicts(console, verdicts)
    write_results(json_file, {"": overload_table(rows)}, {"rows": [asdict(row) for row in rows]})
    if any(verdict.passed is False for verdict in verdicts):
        sys.exit(1)


async def run_bench(
    levels: Sequence[int], seconds: float, variants: Sequence[str], progress: BenchProgress
) -> list[OverloadRow]:
    """Run each level with `overload` off and on.

    Raises:
        StartError: a process of the stack or a measuring process failed.
    """
    rows: list[OverloadRow] = []
    with progress:
        for variant in variants:
            with tempfile.TemporaryDirectory(prefix="dispatcher-bench-") as folder:
                plan = overload_stack(Path(folder), is_on=variant == "on")
                async with ready_stack(plan, progress):
                    rows += [await _run_level(plan, variant, level, seconds, progress) for level in levels]
    return rows


def overload_stack(folder: Path, *, is_on: bool) -> StackPlan:
    """Return a stack with eight LLM places, and with room for all that comes before and after them."""
    options = f"--set tokens_per_s={TOKENS_PER_S:.2f} --set {shlex.quote(f'text={OVERLOAD_ANSWER}')}"
    sections = {"overload": {"enabled": is_on}}
    return plan_loaded(folder, sections, llm_places=PLACES, service="llm", options=options)


async def _run_level(
    plan: StackPlan, variant: str, level: int, seconds: float, progress: BenchProgress
) -> OverloadRow:
    devices = devices_at(level, cycle_s=CYCLE_S, hold_s=HOLD_S)
    load_s = WARM_UP_S + seconds
    load = OverloadLoadPlan(url=plan.url, devices=devices, seconds=load_s)
    before, steps_before = count_resent(plan), len(steps_taken(plan))
    with progress.step(f"{level} %, overload {variant}", round(devices * load_s / CYCLE_S)) as on_turn:
        found = await measure("overload_load", load, timeout_s=load_s + 3 * TURN_TIMEOUT_S, on_turn=on_turn)
    turns = [OverloadTurn(**turn) for turn in found["turns"]]
    row = row_of(turns, devices=devices, seconds=seconds, level=level, variant=variant)
    top_step = max(steps_taken(plan)[steps_before:], default=0)
    resent = count_resent(plan) - before
    return replace(row, resent=resent, recovered_s=found["recovered_s"], top_step=top_step)


def count_resent(plan: StackPlan) -> int:
    """Return how many stages the front sent a second time so far."""
    return _front_log(plan).count(RESENT)


def steps_taken(plan: StackPlan) -> list[int]:
    """Return the steps of overload that the front came to so far."""
    return [int(step) for step in _STEP.findall(_ANSI.sub("", _front_log(plan)))]


def _front_log(plan: StackPlan) -> str:
    log = plan.folder / "log" / "front.log"
    return log.read_text("utf-8", "replace") if log.exists() else ""


def row_of(
    turns: Sequence[OverloadTurn], *, devices: int, seconds: float, level: int, variant: str
) -> OverloadRow:
    """Return the figures of the turns that ended after the warm-up."""
    turns = [turn for turn in turns if turn.ended_s > WARM_UP_S]
    firsts = [math.inf if turn.first_ms is None else turn.first_ms for turn in turns]
    answered = Counter(turn.device for turn in turns if turn.answered)
    away_ms = [first for turn, first in zip(turns, firsts, strict=True) if turn.turned_away]
    in_time = sum(turn.answered and turn.ended_s <= WARM_UP_S + seconds for turn in turns)
    return OverloadRow(
        variant=variant,
        level=level,
        devices=devices,
        turns=len(turns),
        first_p50_ms=percentile(firsts, 0.5) or 0.0,
        first_p95_ms=percentile(firsts, 0.95) or 0.0,
        audible_ratio=sum(first <= AUDIBLE_MS for first in firsts) / max(1, len(firsts)),
        gap_ratio=sum(turn.has_gap for turn in turns) / max(1, len(turns)),
        unanswered=sum(not turn.answered for turn in turns),
        capacity_ratio=in_time * HOLD_S / (PLACES * seconds),
        jain=jain_index([answered[number] for number in range(1, 1 + devices)]),
        resent=0,
        recovered_s=0.0,
        turned_away=len(away_ms),
        away_p95_ms=percentile(away_ms, 0.95) or 0.0,
    )


def jain_index(shares: Sequence[float]) -> float:
    """Return Jain's fairness of shares: 1 where all are equal, 1/n where one has all."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


def overload_verdicts(rows: Sequence[OverloadRow]) -> list[Verdict]:
    """Return a verdict for each goal of the levels with `overload` on; none where there was none."""
    on = [row for row in rows if row.variant == "on"]
    if not on:
        return []
    audible, gaps = min(row.audible_ratio for row in on), max(row.gap_ratio for row in on)
    silent = sum(row.unanswered - row.turned_away for row in on)
    away_ms, recovered_s = max(row.away_p95_ms for row in on), max(row.recovered_s for row in on)
    resent = sum(row.resent for row in on)
    given = min((row.capacity_ratio for row in on if row.level > 100), default=None)
    full = ("–", None) if given is None else (f"{given:.0%}", given >= CAPACITY_RATIO)
    goals: dict[str, tuple[str, bool | None]] = {
        f"turns audible within {AUDIBLE_MS / 1000:g} s: all": (f"{audible:.1%}", audible >= 1),
        f"turns with a gap: under {GAP_RATIO:.0%}": (f"{gaps:.1%}", gaps < GAP_RATIO),
        f"of the places' capacity, above 100 %: at least {CAPACITY_RATIO:.0%}": full,
        "turns neither answered nor turned away: none": (str(silent), silent <= 0),
        f'"too many", told p95: within {AWAY_MS} ms': (f"{away_ms:.0f} ms", away_ms <= AWAY_MS),
        f"late turns after the load: for at most {RECOVERY_S:g} s": (
            f"{recovered_s:.1f} s",
            recovered_s <= RECOVERY_S,
        ),
        "stages sent twice: none": (str(resent), not resent),
    }
    return [Verdict(wanted=goal, measured=value, passed=passed) for goal, (value, passed) in goals.items()]


_LEVEL: Final = ("overload", "load")
# In several tables, since all columns together are wider than a terminal of 80.
_SHOWN: Final = {
    "what the devices heard": (*_LEVEL, "devices", "turns", "first audio p50/p95", "in 2 s", "gaps"),
    "what the places gave": (*_LEVEL, "of capacity", "Jain", "unanswered", "sent twice"),
    "steps of overload": (*_LEVEL, "too many, told p95", "step", "recovery"),
}
_CELLS: Final[Mapping[str, Callable[[OverloadRow], str]]] = {
    "overload": lambda row: row.variant,
    "load": lambda row: f"{row.level} %",
    "devices": lambda row: str(row.devices),
    "turns": lambda row: str(row.turns),
    "first audio p50/p95": lambda row: f"{row.first_p50_ms / 1000:.1f}/{row.first_p95_ms / 1000:.1f} s",
    "in 2 s": lambda row: f"{row.audible_ratio:.1%}",
    "gaps": lambda row: f"{row.gap_ratio:.1%}",
    "unanswered": lambda row: str(row.unanswered),
    "too many, told p95": lambda row: f"{row.turned_away}, {row.away_p95_ms / 1000:.1f} s",
    "step": lambda row: str(row.top_step),
    "of capacity": lambda row: f"{row.capacity_ratio:.0%}",
    "Jain": lambda row: f"{row.jain:.2f}",
    "sent twice": lambda row: str(row.resent),
    "recovery": lambda row: f"{row.recovered_s:.1f} s",
}


def overload_tables(rows: Sequence[OverloadRow]) -> dict[str, Table]:
    """Return tables with a row for each level, each by its title and narrow enough for 80 columns."""
    return {title: overload_table(rows, columns) for title, columns in _SHOWN.items()}


def overload_table(rows: Sequence[OverloadRow], columns: Iterable[str] = tuple(_CELLS)) -> Table:
    """Return a row for each level, with these columns."""
    table = bench_table(*columns)
    for row in rows:
        table.add_row(*(_CELLS[column](row) for column in columns))
    return table

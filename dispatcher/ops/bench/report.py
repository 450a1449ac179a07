"""The results of a bench as tables for people and as JSON for machines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from dispatcher.ops.bench.samples import Samples
from dispatcher.ops.bench.verdict import OUR_ROLES, Run, Verdict, judge

# Narrow enough for a terminal of 80 columns and for a log file.
_LOOKS: Final[dict[str, Any]] = {"box": box.SIMPLE_HEAD, "pad_edge": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole bench.

    Attributes:
        before: the floor before the devices.
        after: the floor after them; the machine may have changed in between.
        floor: both together.
    """

    before: Samples
    after: Samples
    floor: Samples
    runs: tuple[Run, ...]

    def verdicts(self) -> list[Verdict]:
        """Return what the bounds say."""
        return judge(self.floor, self.runs)

    def as_json(self) -> dict[str, Any]:
        """Return everything, each turn too, as JSON-ready fields."""
        return {
            "floor_before": self.before.as_json(),
            "floor_after": self.after.as_json(),
            "runs": [
                {
                    "devices": run.devices,
                    **run.samples.as_json(),
                    "generator_cpu_s": run.samples.cpu_s,
                    "other_programs_cpu_s": run.other_programs_cpu_s,
                    "wall_s": run.reading.wall_s,
                    "our_cpu_ms_per_turn": run.our_cpu_ms_per_turn,
                    "our_pss_mb": run.our_pss_mb,
                    "processes": {
                        name: {"role": run.roles[name], **asdict(usage)}
                        for name, usage in run.reading.usages.items()
                    },
                }
                for run in self.runs
            ],
            "verdicts": [asdict(verdict) for verdict in self.verdicts()],
        }


def print_report(console: Console, report: Report) -> None:
    """Print all tables and the verdicts."""
    tables = {
        "ms after listen stop, p50/p95": latency_table(report),
        "the speech that devices heard": speech_table(report.runs),
        "% of one core · MB PSS, by number of devices": process_table(report.runs),
    }
    for title, table in tables.items():
        console.print(f"[bold]{title}[/]", highlight=False)
        console.print(table)
    for reason in dict.fromkeys(reason for run in report.runs for reason in run.samples.lost):
        console.print(f"[yellow]lost:[/] {reason}", highlight=False, soft_wrap=True)
    for verdict in report.verdicts():
        console.print(verdict_line(verdict), highlight=False, soft_wrap=True)


def latency_table(report: Report) -> Table:
    """Return the times from `listen stop`, the floor's first."""
    table = Table(**_LOOKS)
    table.add_column("devices")
    for name in ("transcript", "first audio", "× floor", "end", "CPU/turn", "turns"):
        table.add_column(name, justify="right")
    for name, samples in {"floor before": report.before, "floor after": report.after}.items():
        table.add_row(name, *_latency_cells(samples, report.floor), "", str(len(samples.turns)))
    table.add_section()
    for run in report.runs:
        cells = _latency_cells(run.samples, report.floor)
        cpu_ms = f"{run.our_cpu_ms_per_turn:.1f}"
        table.add_row(str(run.devices), *cells, cpu_ms, str(len(run.samples.turns)))
    return table


def speech_table(runs: Sequence[Run]) -> Table:
    """Return how the replies were heard."""
    table = Table(**_LOOKS)
    for name in ("devices", "with a gap", "gaps", "gap ms", "late", "dropped", "frames", "lost"):
        table.add_column(name, justify="right")
    for run in runs:
        samples = run.samples
        table.add_row(
            str(run.devices),
            f"{samples.gap_ratio:.1%}",
            *(str(samples.total(name)) for name in ("gaps", "gap_ms", "late", "dropped", "frames")),
            str(len(samples.lost)),
        )
    return table


def process_table(runs: Sequence[Run]) -> Table:
    """Return CPU and memory of each process, ours first."""
    table = Table(**_LOOKS)
    table.add_column("process")
    for run in runs:
        table.add_column(str(run.devices), justify="right")
    if not runs:
        return table
    roles = runs[0].roles
    ours = [name for name in roles if roles[name] in OUR_ROLES]
    others = [name for name in roles if roles[name] not in OUR_ROLES]
    for name in ours:
        table.add_row(name, *(_usage_cell(run, [name]) for run in runs))
    table.add_row("all of ours", *(_usage_cell(run, ours) for run in runs), style="bold")
    table.add_section()
    for name in others:
        table.add_row(name, *(_usage_cell(run, [name]) for run in runs))
    table.add_row("generator", *(_share(run.samples.cpu_s, run) for run in runs))
    table.add_row("other programs", *(_share(run.other_programs_cpu_s, run) for run in runs))
    return table


def verdict_line(verdict: Verdict) -> str:
    """Return one line of rich markup."""
    marks = {True: "[green]pass[/]", False: "[red]fail[/]", None: "[dim]–   [/]"}
    return f"{marks[verdict.passed]}  {verdict.wanted}: {verdict.measured}"


def _latency_cells(samples: Samples, floor: Samples) -> list[str]:
    floor_ms = floor.percentile("first_audio_ms", 0.5)
    p50_ms, p95_ms = (samples.percentile("first_audio_ms", share) for share in (0.5, 0.95))
    return [
        _pair(samples, "transcript_ms"),
        _pair(samples, "first_audio_ms"),
        "–" if math.isnan(p50_ms) else f"{p50_ms / floor_ms:.2f}/{p95_ms / floor_ms:.2f}",
        _pair(samples, "end_ms"),
    ]


def _pair(samples: Samples, name: str) -> str:
    values = [samples.percentile(name, share) for share in (0.5, 0.95)]
    return "–" if any(map(math.isnan, values)) else "/".join(f"{value:.0f}" for value in values)


def _usage_cell(run: Run, names: Sequence[str]) -> str:
    usages = [run.reading.usages[name] for name in names]
    cpu = _share(sum(usage.cpu_s for usage in usages), run)
    sizes = [usage.pss_mb for usage in usages if usage.pss_mb is not None]
    return f"{cpu} · {sum(sizes):.0f}" if len(sizes) == len(usages) else cpu


def _share(cpu_s: float, run: Run) -> str:
    """Return CPU time as a share of one core over the run."""
    return f"{cpu_s / run.reading.wall_s:.0%}"

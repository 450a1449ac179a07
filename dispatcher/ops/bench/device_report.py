"""Report of `dispatcher bench devices` as tables for people and as JSON for machines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from dispatcher.ops.bench.bench_tables import bench_table, ms_text, print_verdicts
from dispatcher.ops.bench.bounds import OUR_ROLES, Run, Verdict, judge
from dispatcher.ops.bench.samples import Samples, merge


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """A whole bench; the machine may have changed between the baselines before and after the devices."""

    before: Samples
    after: Samples
    runs: tuple[Run, ...]

    @property
    def baseline(self) -> Samples:
        """Both baselines together."""
        return merge([self.before, self.after])

    def verdicts(self) -> list[Verdict]:
        """Return a verdict for each bound."""
        return judge(self.baseline, self.runs)

    def as_json(self) -> dict[str, Any]:
        """Return everything, each turn too, as JSON-ready fields."""
        return {
            "floor_before": asdict(self.before),
            "floor_after": asdict(self.after),
            "runs": [_run_json(run) for run in self.runs],
            "verdicts": [asdict(verdict) for verdict in self.verdicts()],
        }


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "devices": run.devices,
        **asdict(run.samples),
        "generator_cpu_s": run.samples.cpu_s,
        "other_programs_cpu_s": run.other_programs_cpu_s,
        "wall_s": run.reading.wall_s,
        "our_cpu_ms_per_turn": run.our_cpu_ms_per_turn,
        "our_pss_mb": run.our_pss_mb,
        "processes": {
            name: {"role": run.roles[name], **asdict(usage)} for name, usage in run.reading.usages.items()
        },
    }


def print_report(console: Console, report: DeviceReport) -> None:
    """Print all tables and the verdicts."""
    tables = {
        "ms after the end of speech, p50/p95": latency_table(report),
        "the speech that devices heard": speech_table(report.runs),
        "% of one core · MB PSS, by number of devices": process_table(report.runs),
    }
    for title, table in tables.items():
        console.print(f"[bold]{title}[/]", highlight=False)
        console.print(table)
    for reason in dict.fromkeys(reason for run in report.runs for reason in run.samples.lost):
        console.print(f"[yellow]lost:[/] {reason}", highlight=False, soft_wrap=True)
    print_verdicts(console, report.verdicts())


def summary_table(report: DeviceReport) -> Table:
    """Return the table of the README: the times, losses and cost of each number of devices."""
    table = bench_table(
        *("devices", "first audio", "× baseline", "turns with a gap", "lost", "CPU per turn"),
        "memory of ours (PSS)",
    )
    baseline = report.baseline
    baseline_ms = baseline.percentile("first_audio_ms", 0.5)
    _, first_audio, ratios, _ = _latency_cells(baseline, baseline_ms)
    table.add_row("baseline, one bare script", first_audio, ratios)
    for run in report.runs:
        _, first_audio, ratios, _ = _latency_cells(run.samples, baseline_ms)
        losses = (f"{run.samples.gap_ratio * 100:.1f} %", str(len(run.samples.lost)))
        cost = (f"{run.our_cpu_ms_per_turn:.0f} ms", f"{run.our_pss_mb or 0:.0f} MB")
        table.add_row(str(run.devices), first_audio, ratios, *losses, *cost)
    return table


def latency_table(report: DeviceReport) -> Table:
    """Return the times from the true end of speech, the baseline's first."""
    table = bench_table("devices", "transcript", "first audio", "× baseline", "end", "CPU/turn", "turns")
    baseline_ms = report.baseline.percentile("first_audio_ms", 0.5)
    for name, samples in {"baseline before": report.before, "baseline after": report.after}.items():
        table.add_row(name, *_latency_cells(samples, baseline_ms), "", str(len(samples.turns)))
    table.add_section()
    for run in report.runs:
        cells = _latency_cells(run.samples, baseline_ms)
        table.add_row(str(run.devices), *cells, f"{run.our_cpu_ms_per_turn:.1f}", str(len(run.samples.turns)))
    return table


def speech_table(runs: Sequence[Run]) -> Table:
    """Return gaps and losses of the replies as devices heard them."""
    counts = ("gaps", "gap_ms", "late", "dropped", "frames")
    table = bench_table("devices", "with a gap", "gaps", "gap ms", "late", "dropped", "frames", "lost")
    for run in runs:
        samples = run.samples
        totals = (str(samples.total(name)) for name in counts)
        table.add_row(str(run.devices), f"{samples.gap_ratio:.1%}", *totals, str(len(samples.lost)))
    return table


def process_table(runs: Sequence[Run]) -> Table:
    """Return CPU and memory of each process, ours first."""
    table = bench_table("process", *(str(run.devices) for run in runs))
    roles = runs[0].roles if runs else {}
    ours = [name for name in roles if roles[name] in OUR_ROLES]
    for name in ours:
        table.add_row(name, *(_usage_cell(run, [name]) for run in runs))
    table.add_row("all of ours", *(_usage_cell(run, ours) for run in runs), style="bold")
    table.add_section()
    for name in roles:
        if name not in ours:
            table.add_row(name, *(_usage_cell(run, [name]) for run in runs))
    table.add_row("generator", *(_share(run.samples.cpu_s, run) for run in runs))
    table.add_row("other programs", *(_share(run.other_programs_cpu_s, run) for run in runs))
    return table


def _latency_cells(samples: Samples, baseline_ms: float) -> list[str]:
    p50_ms, p95_ms = (samples.percentile("first_audio_ms", share) for share in (0.5, 0.95))
    ratios = "–" if math.isnan(p50_ms) else f"{p50_ms / baseline_ms:.2f}/{p95_ms / baseline_ms:.2f}"
    times = [_pair(samples, name) for name in ("transcript_ms", "first_audio_ms", "end_ms")]
    return [*times[:2], ratios, times[2]]


def _pair(samples: Samples, name: str) -> str:
    return "/".join(ms_text(samples.percentile(name, share)) for share in (0.5, 0.95)).replace("–/–", "–")


def _usage_cell(run: Run, names: Sequence[str]) -> str:
    usages = [run.reading.usages[name] for name in names]
    cpu = _share(sum(usage.cpu_s for usage in usages), run)
    sizes = [usage.pss_mb for usage in usages if usage.pss_mb is not None]
    return f"{cpu} · {sum(sizes):.0f}" if len(sizes) == len(usages) else cpu


def _share(cpu_s: float, run: Run) -> str:
    """Return CPU time as a share of one core over the run."""
    return f"{cpu_s / run.reading.wall_s:.0%}"

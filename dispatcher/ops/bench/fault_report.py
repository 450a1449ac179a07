"""Report of `dispatcher bench faults` as a table, and the bound of the first result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table

from dispatcher.ops.bench.bench_tables import bench_table, ms_text
from dispatcher.ops.bench.fault_cases import ServiceCase
from dispatcher.ops.bench.fault_turns import FaultTurn
from dispatcher.ops.bench.routing_report import QUIET_RATIO
from dispatcher.percentile import percentile

FIRST_RESULT_MS: Final = 1000.0
_NO_BUDGET: Final = (
    "the budget held no second request (one in 20 calls, one every 10 s), so it was asked when the first was "
    "given up"
)
_STYLES: Final = {"pass": "green", "FAIL": "red", "host not quiet": "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeResult:
    """One fault: its turns in order, the first one that met it first."""

    mode: str
    turns: tuple[FaultTurn, ...]

    @property
    def worst_ms(self) -> float | None:
        """The latest first result; None where a turn had none."""
        times = [each.first_result_ms for each in self.turns if not each.lost]
        known = [each for each in times if each is not None]
        return max(known) if len(known) == len(self.turns) else None

    @property
    def passed(self) -> bool:
        """Whether every first result was in time, and no listener noticed the fault."""
        worst_ms = self.worst_ms
        return (
            worst_ms is not None
            and worst_ms <= FIRST_RESULT_MS
            and all(each.unnoticed for each in self.turns)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultReport:
    """The whole bench.

    Attributes:
        case: whose instance failed.
        failing: name of the instance that failed.
        other_programs_ratio: what others spent meanwhile, 1.0 for one core.
    """

    case: ServiceCase
    results: tuple[ModeResult, ...]
    failing: str
    other_programs_ratio: float

    def verdict(self, result: ModeResult) -> str:
        """Return pass, FAIL, or that the host was not quiet enough to judge a time."""
        if result.passed:
            return "pass"
        quiet = self.other_programs_ratio <= QUIET_RATIO
        wrong = any(not each.same_words or _waited_too_long(each) for each in result.turns)
        return "FAIL" if quiet or wrong or result.worst_ms is None else "host not quiet"


def _waited_too_long(turn: FaultTurn) -> bool:
    """Return whether the second instance was asked so late that no machine is quick enough."""
    return turn.asked_again_ms is not None and turn.asked_again_ms > FIRST_RESULT_MS


def print_faults(console: Console, report: FaultReport) -> None:
    """Print the table, what its times are, and every turn that was late or lost."""
    title = f"ms to the {report.case.result} while {report.failing} fails, one substitute"
    console.print(f"[bold]{title}[/]", highlight=False)
    console.print(fault_table(report))
    for line in notes(report):
        console.print(line, highlight=False)


def fault_table(report: FaultReport) -> Table:
    """Return a row for each fault: the first turn, and the later ones as p50/worst."""
    table = bench_table(
        *("fault", "first hit", "audio", "who was asked", "later turns", "audio", "asked it", "unheard"),
        "verdict",
        left=("who was asked", "verdict"),
    )
    for result in report.results:
        word = report.verdict(result)
        table.add_row(result.mode, *_cells(result, report.failing), f"[{_STYLES[word]}]{word}[/]")
    return table


def _cells(result: ModeResult, failing: str) -> Iterator[str]:
    first, later = result.turns[0], result.turns[1:]
    yield ms_text(first.first_result_ms)
    yield ms_text(first.first_audio_ms)
    yield _who(first)
    yield _spread([each.first_result_ms for each in later])
    yield _spread([each.first_audio_ms for each in later])
    yield f"{sum(failing in each.asked for each in later)} of {len(later)}"
    yield f"{sum(each.unnoticed for each in result.turns)} of {len(result.turns)}"


def _who(turn: FaultTurn) -> str:
    if turn.asked_again_ms is None:
        return turn.answered_by or "nobody answered"
    return f"{turn.asked[0]}, after {turn.asked_again_ms:.0f} ms {turn.answered_by or turn.asked[-1]}"


def notes(report: FaultReport) -> Iterator[str]:
    """Yield what the times are, and what was wrong with the turns that were not well."""
    case = report.case
    yield (
        f"{case.result}: {case.counted}; at most {FIRST_RESULT_MS:.0f} ms is wanted. "
        "audio: from the question to the first packet at the device. First hit: the first turn that asked "
        "the failing instance; later turns as p50/worst, and how many of them asked it"
    )
    yield f"other programs took {report.other_programs_ratio:.0%} of one core meanwhile"
    for result in report.results:
        for number, turn in enumerate(result.turns, start=1):
            if problem := _problem(turn, case.result):
                yield f"{result.mode}, turn {number}: {problem}"


def _problem(turn: FaultTurn, awaited: str) -> str:
    late_ms = turn.first_result_ms or 0.0
    if turn.lost:
        return f"lost: {turn.lost}; asked {', '.join(turn.asked) or 'nobody'}"
    if late_ms > FIRST_RESULT_MS:
        problem = f"{awaited} after {late_ms:.0f} ms; {_who(turn)}"
        return f"{problem}; {_NO_BUDGET}" if _waited_too_long(turn) else problem
    if not turn.same_words:
        return "the listener heard it: a sentence was lost, or said twice"
    return f"{turn.gaps} gaps in the speech" if turn.gaps else ""


def _spread(times_ms: Sequence[float | None]) -> str:
    known = [each for each in times_ms if each is not None]
    return f"{percentile(known, 0.5):.0f}/{max(known):.0f}" if known else "–"

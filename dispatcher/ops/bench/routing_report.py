"""The results of `dispatcher bench routing` as tables, and what they are held against."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from dispatcher.messages import Algorithm
from dispatcher.ops.bench.bounds import Verdict
from dispatcher.ops.bench.routing_load import CAPS, CYCLE, WEIGHTS, Cost, Timing
from dispatcher.percentile import percentile

P50_MS: Final = 0.5
P99_MS: Final = 2.0
COMMANDS_BESIDE_THE_SCRIPT: Final = 2
# What others may take of one core before a time that is too long says nothing of us.
QUIET_RATIO: Final = 0.2
EXACT: Final[Mapping[Algorithm, Mapping[str, float]]] = {
    "weighted_round_robin": {name: weight / CYCLE for name, weight in WEIGHTS.items()},
    "round_robin": dict.fromkeys(WEIGHTS, 1 / len(WEIGHTS)),
}
_LOOKS: Final[dict[str, Any]] = {"box": box.SIMPLE_HEAD, "pad_edge": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hammered:
    """What processes on one cap came to: slots that each took, most leases ever seen, the cap."""

    taken: tuple[int, ...]
    most: int
    cap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingReport:
    """The whole bench.

    Attributes:
        shares: calls of each instance by algorithm.
        bursts: slots of each instance in a burst by algorithm; "" counts the calls that got none.
        other_programs_ratio: what others spent during the timing, 1.0 for one core.
    """

    pings: Timing
    timings: tuple[Timing, ...]
    cost: Cost
    shares: Mapping[Algorithm, Counter[str]]
    bursts: Mapping[Algorithm, Counter[str]]
    hammered: Hammered
    other_programs_ratio: float

    def verdicts(self) -> Iterator[tuple[Verdict, str]]:
        """Yield each bound with its word: pass, FAIL, or that the host was not quiet enough to judge."""
        quiet = self.other_programs_ratio <= QUIET_RATIO
        for verdict in self._times():
            yield verdict, "pass" if verdict.passed else "FAIL" if quiet else "host not quiet"
        for verdict in self._exact():
            yield verdict, "pass" if verdict.passed else "FAIL"

    def _times(self) -> Iterator[Verdict]:
        one = self.timings[0]
        for share, bound_ms in ((0.5, P50_MS), (0.99, P99_MS)):
            measured = percentile(one.picks_ms, share) or math.nan
            yield Verdict(
                wanted=f"pick and lease, one caller: p{share * 100:.0f} at most {bound_ms:g} ms",
                measured=f"{measured:.3f} ms",
                passed=measured <= bound_ms,
            )

    def _exact(self) -> Iterator[Verdict]:
        beside = self.cost.commands - 1
        yield Verdict(
            wanted="one round trip a pick",
            measured=f"{self.cost.round_trips:g}",
            passed=self.cost.round_trips <= 1,
        )
        yield Verdict(
            wanted=f"at most {COMMANDS_BESIDE_THE_SCRIPT} commands beside the script",
            measured=f"{beside:g}",
            passed=beside <= COMMANDS_BESIDE_THE_SCRIPT,
        )
        for algorithm, wanted in EXACT.items():
            off = _furthest_off(self.shares[algorithm], wanted)
            yield Verdict(
                wanted=f"{algorithm}: exact shares over whole cycles",
                # One cycle of equal turns may end in the middle of the other's.
                measured=f"off by {off * 100:.2f} points at most",
                passed=off * self.shares[algorithm].total() < 1,
            )
        told = sum(all(went[name] == cap for name, cap in CAPS.items()) for went in self.bursts.values())
        yield Verdict(
            wanted=f"a burst is let in to exactly {_joined(CAPS)} by every algorithm",
            measured=f"{told} of {len(self.bursts)}",
            passed=told == len(self.bursts),
        )
        most, cap = self.hammered.most, self.hammered.cap
        yield Verdict(wanted=f"never more than the cap of {cap}", measured=str(most), passed=most <= cap)


def print_routing(console: Console, report: RoutingReport) -> None:
    """Print all tables and the verdicts."""
    titles = {
        "times": "ms, p50/p99",
        "shares": "share of calls, wanted by weight and measured",
        "burst": f"slots that a burst of {sum(next(iter(report.bursts.values())).values())} got",
    }
    tables = routing_tables(report)
    for name, title in titles.items():
        console.print(f"[bold]{title}[/]", highlight=False)
        console.print(tables[name])
    for line in _facts(report):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(tables["verdicts"])


def routing_tables(report: RoutingReport) -> dict[str, Table]:
    """Return all tables by name."""
    return {
        "times": timing_table(report),
        "shares": share_table(report.shares),
        "burst": burst_table(report.bursts),
        "verdicts": verdict_table(report),
    }


def _facts(report: RoutingReport) -> Iterator[str]:
    cost, hammered = report.cost, report.hammered
    inner = ", ".join(f"{calls:g} {name}" for name, calls in cost.inner.items())
    yield f"one pick: {cost.round_trips:g} round trip, {cost.commands:g} command; inside it {inner}"
    yield f"of that time Redis itself was at work for {cost.script_us / 1000:.3f} ms"
    taken = ", ".join(map(str, hammered.taken))
    yield (
        f"{len(hammered.taken)} processes on a cap of {hammered.cap} took {taken} slots; "
        f"at most {hammered.most} at once"
    )
    yield f"other programs took {report.other_programs_ratio:.0%} of one core while times were measured"


def timing_table(report: RoutingReport) -> Table:
    """Return how long picks and ends take."""
    table = Table(**_LOOKS)
    table.add_column("callers in one process")
    for name in ("pick + lease", "finish", "picks/s"):
        table.add_column(name, justify="right")
    table.add_row("PING alone", _pair(report.pings.picks_ms), "", f"{report.pings.picks_per_s:.0f}")
    for each in report.timings:
        table.add_row(
            str(each.callers), _pair(each.picks_ms), _pair(each.finishes_ms), f"{each.picks_per_s:.0f}"
        )
    return table


def share_table(shares: Mapping[Algorithm, Counter[str]]) -> Table:
    """Return where calls went, beside what the weights want; load-aware algorithms follow the load."""
    table = Table("algorithm", **_LOOKS)
    for name, weight in WEIGHTS.items():
        table.add_column(f"{name} {weight / CYCLE:.0%}", justify="right")
    table.add_column("off the weights", justify="right")
    by_weight = EXACT["weighted_round_robin"]
    for algorithm, went in shares.items():
        cells = [f"{went[name] / went.total():.1%}" for name in WEIGHTS]
        table.add_row(algorithm, *cells, f"{_furthest_off(went, by_weight) * 100:.1f} points")
    return table


def burst_table(bursts: Mapping[Algorithm, Counter[str]]) -> Table:
    """Return whom a burst was let in to."""
    table = Table("algorithm", **_LOOKS)
    for name, cap in CAPS.items():
        table.add_column(f"{name} of {cap}", justify="right")
    table.add_column("found all full", justify="right")
    for algorithm, went in bursts.items():
        table.add_row(algorithm, *(str(went[name]) for name in (*CAPS, "")))
    return table


def verdict_table(report: RoutingReport) -> Table:
    """Return what was wanted, what came out and the verdict."""
    table = Table("wanted", "measured", "verdict", **_LOOKS)
    styles = {"pass": "green", "FAIL": "red", "host not quiet": "yellow"}
    for verdict, word in report.verdicts():
        table.add_row(verdict.wanted, verdict.measured, f"[{styles[word]}]{word}[/]")
    return table


def _furthest_off(went: Counter[str], wanted: Mapping[str, float]) -> float:
    return max(abs(went[name] / went.total() - share) for name, share in wanted.items())


def _joined(caps: Mapping[str, int]) -> str:
    return ":".join(map(str, caps.values()))


def _pair(times_ms: tuple[float, ...]) -> str:
    return f"{percentile(times_ms, 0.5):.3f}/{percentile(times_ms, 0.99):.3f}"

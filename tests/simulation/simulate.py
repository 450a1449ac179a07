"""Print the table of docs/balancing.md: `make simulate`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final, TypeAlias, get_args

from dispatcher.messages import Algorithm
from dispatcher.redis_client.client import RedisClient, connect
from tests.simulation import figures, tuner_days
from tests.simulation.figures import Figures
from tests.simulation.scenarios import SCENARIOS, Scenario
from tests.simulation.slow_instance import LatenessFigures, SlowInstanceDay, measure
from tests.simulation.weighing import FLEETS, Unequal, Weighed, weigh
from tests.simulation.yardsticks import SIMPLE_RULES
from tests.support.broker import Broker

Cells: TypeAlias = dict[str, Any]
Tables: TypeAlias = dict[str, Cells]

RUNS: Final = 24
HEADER: Final = (
    "| who chooses | p50 ms | p99 ms | over 1 s % | errors % | tried again % | share of A after the fault % |"
)

# Turns a second, and how many times as many runs: of few turns a minute one run shows little.
HOUSE_RATES: Final[Mapping[float, int]] = {0.2: 10, 1.3: 3, 10: 1}
HOUSE_HEADER: Final = (
    "| turns/s | algorithm | turns | late % | of these in the first 10 s, a run | probes % "
    "| second requests % | share of the slow one, from the third minute after it % |"
)

WEIGHED_RUNS: Final = 6
WEIGHTS_HEADER: Final = (
    "| instances | busiest ÷ mean: first minute | last ten | turns back in the last ten "
    "| factor of A after 2 slow minutes | at the end |"
)


async def main(url: str, runs: int) -> Tables:
    """Run every scenario under every balancer, print as it goes, and return all tables by name."""
    found: Tables = {}
    redis = RedisClient(connect(url))
    started = time.monotonic()
    for scenario in SCENARIOS:
        found[scenario.name] = await _print_scenario(redis, scenario, range(runs))
    found["slow"] = await _print_slow_instance(redis, max(1, runs // 4))
    found["weights"] = await _print_weights(redis, range(min(runs, WEIGHED_RUNS)))
    await redis.close()
    _print("\nThe tuner, twelve hours a run (docs/tuner.md)\n")
    header, _, *rows = tuner_days.table(range(max(1, runs // 4)))
    found["tuner"] = _print_table(header, rows)
    _print(f"\n{time.monotonic() - started:.0f} s")
    return found


async def _print_scenario(redis: RedisClient, scenario: Scenario, seeds: range) -> Cells:
    measured = await figures.of_scripts(redis, scenario, seeds)
    _print(f"\n{scenario.name}  {scenario.title}")
    _print(
        f"service time log-normal, median {scenario.median_ms:g} ms, sigma {scenario.sigma:g}; Poisson, "
        f"{scenario.calls_per_s:.1f} calls/s; {measured.runs} runs of {scenario.seconds:g} s, "
        f"{measured.calls} calls\n"
    )
    rows = [
        _row("ideal single line", await figures.of_ideal(scenario, seeds)),
        _row(f"**{scenario.algorithm}**", measured),
    ]
    rows += [_row(rule, await figures.of_simple(scenario, rule, seeds)) for rule in SIMPLE_RULES]
    return _print_table(HEADER, rows)


async def _print_slow_instance(redis: RedisClient, runs: int) -> Cells:
    """Print what users hear while one of two LLM instances is slow; rare turns need more runs."""
    _print("\nSlow  one of two LLM instances: first token after 3.0 s instead of 0.3 s, for ten minutes\n")
    rows = []
    for turns_per_s, times in HOUSE_RATES.items():
        for algorithm in get_args(Algorithm):
            day = SlowInstanceDay(algorithm=algorithm, turns_per_s=turns_per_s)
            rows.append(_slow_instance_row(day, await measure(redis, day, range(runs * times))))
    return _print_table(HOUSE_HEADER, rows)


def _slow_instance_row(day: SlowInstanceDay, of: LatenessFigures) -> str:
    return (
        f"| {day.turns_per_s:g} | {day.algorithm} | {of.turns} | {of.late_ratio * 100:.2f} "
        f"| {of.onset_late:.1f} | {of.probe_ratio * 100:.1f} | {of.beside_ratio * 100:.2f} "
        f"| {of.share_back * 100:.1f} |"
    )


async def _print_weights(redis: RedisClient, seeds: range) -> Cells:
    _print("\nWeights  weighted round robin, configured alike, adjusted once a minute for 30 minutes\n")
    rows = [_weights_row(unequal, await weigh(redis, unequal, seeds)) for unequal in FLEETS]
    return _print_table(WEIGHTS_HEADER, rows)


def _weights_row(unequal: Unequal, runs: Sequence[Weighed]) -> str:
    """Return the worst of the runs; factors are the mean of them."""
    slowed = "–"
    if unequal.slow_until:
        slowed = f"{fmean(run.factors[unequal.slow_from + 1][0] for run in runs):.2f}"
    return (
        f"| {unequal.title} | {max(run.unevenness(slice(0, 1)) for run in runs):.2f} "
        f"| {max(run.unevenness(slice(-10, None)) for run in runs):.3f} "
        f"| {max(run.turns_back(slice(-10, None)) for run in runs)} "
        f"| {slowed} | {fmean(run.factors[-1][0] for run in runs):.2f} |"
    )


def _row(name: str, of: Figures) -> str:
    back = "–" if of.share_back_ratio is None else f"{of.share_back_ratio:.1%}".rstrip("%")
    return (
        f"| {name} | {of.p50_ms:.0f} | {of.p99_ms:.0f} | {of.over_1_s_ratio * 100:.2f} "
        f"| {of.error_ratio * 100:.2f} | {of.tried_again_ratio * 100:.2f} | {back} |"
    )


def _print_table(header: str, rows: Sequence[str]) -> Cells:
    """Print a table, and return its cells."""
    _print("\n".join([header, "| --- " * (header.count("|") - 1) + "|", *rows]))
    return {"columns": _cells(header), "rows": [_cells(row) for row in rows]}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int, nargs="?", default=RUNS, help="of each scenario")
    parser.add_argument("--json", default="", metavar="FILE", help="write all tables")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder))
        broker.start()
        try:
            tables = asyncio.run(main(broker.url, options.runs))
        finally:
            broker.kill()
    if options.json:
        Path(options.json).write_text(json.dumps({"tables": tables}, ensure_ascii=False, indent=1))

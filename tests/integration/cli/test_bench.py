"""The benches as real processes, with tiny counts: what came out is asserted, never how long it took."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from dispatcher.ops.bench.cost_bench import measure_cost
from dispatcher.ops.bench.cost_report import read_figures
from tests.support.broker import Broker
from tests.support.processes import BIN, ROOT, own_environment


async def bench(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(str(BIN / "dispatcher"), "bench", *words),
        cwd=ROOT,
        env=own_environment({}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return " ".join(out.decode().split())


@pytest.mark.usefixtures("running_broker")
async def test_bench_routing_shows_exact_shares_bursts_and_caps(tmp_path: Path) -> None:
    found = tmp_path / "routing.json"
    told = await bench(
        *("routing", "--calls", "40", "--cycles", "10", "--processes", "2", "--seconds", "0.3"),
        *("--json", str(found)),
    )
    assert "weighted_round_robin 50.0% 30.0% 20.0% 0.0 points" in told
    for algorithm in ("round_robin", "weighted_round_robin", "least_connections", "response_time"):
        assert f" {algorithm} 8 3 4 45 " in told
    assert "one pick: 1 round trip, 1 command; " in told
    assert "a burst is let in to exactly 8:3:4 by every algorithm 5 of 5 pass" in told
    assert "never more than the cap of 4 4 pass" in told
    shares = json.loads(found.read_text())["tables"]["shares"]
    assert ["weighted_round_robin", "50.0%", "30.0%", "20.0%", "0.0 points"] in shares["rows"]


def row(told: str, mode: str) -> list[str]:
    """Return the words of a mode's row, without its verdict: that depends on the machine."""
    return told.partition(" verdict ")[2].partition(f" {mode} ")[2].split()[:20]


@pytest.mark.parametrize("service", ["asr", "llm"])
async def test_bench_faults_shows_who_answered_the_first_turn_and_the_later_ones(
    running_broker: Broker, service: str
) -> None:
    assert running_broker.runs  # without a broker this machine has none for the bench either
    told = await bench("faults", "--service", service, "--modes", "refuse", "--turns", "2", "--rest", "0")
    who = row(told, "refuse")
    assert who[2] == f"timed-{service}-1,"
    assert f"timed-{service}-2" in who
    assert "lost" not in told


async def test_a_turn_costs_no_other_commands_and_hardly_more_calls_than_are_kept(
    running_broker: Broker,
) -> None:
    assert running_broker.runs
    kept = read_figures()
    if kept is None and "CI" not in os.environ:
        pytest.skip("no figures are kept for this Python: `dispatcher bench cost --write` keeps them")
    assert kept is not None

    problems = (await measure_cost()).problems(kept)

    assert not problems, "meant so? `dispatcher bench cost --write` keeps the new figures"

"""Cost of a turn in counts: what belongs to it, and what it is compared with."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from dispatcher.ops.bench.call_counter import read_counts
from dispatcher.ops.bench.cost_meter import Counts, cost_of, kind_of
from dispatcher.ops.bench.cost_report import TurnCost, read_figures, write_figures
from tests.support.waiting import eventually

KEPT = TurnCost(commands={"XADD replies": 12}, calls={"front": 1000}, redis_bytes={"in": 40_000})
PROGRAM = """
import sys
from dispatcher.backoff import BackOff
for _ in range(7):
    BackOff().next_s()
print("done", flush=True)
sys.stdin.read()
"""


def counts(at_s: float, *, commands: dict[str, int], calls: dict[str, int], sent: int = 0) -> Counts:
    return Counts(
        at_s=at_s,
        commands=Counter(commands),
        calls={"front": Counter(calls)},
        redis_bytes=Counter({"in": sent}),
    )


def test_a_command_is_known_by_its_name_and_the_kind_of_its_key() -> None:
    assert kind_of("XADD replies:front-1 NOMKSTREAM MAXLEN ~ 1000 *") == "XADD replies"
    assert kind_of("EVALSHA 4f1c 3 waiting:asr fleet:asr 12") == "EVALSHA waiting"
    assert kind_of("PING") == "PING"


def test_what_runs_by_the_clock_is_no_part_of_a_turn() -> None:
    idle = (
        counts(0, commands={}, calls={}),
        counts(1, commands={"ZADD workers": 4}, calls={"tick": 4}, sent=100),
    )
    before = counts(2, commands={"ZADD workers": 8}, calls={"tick": 8, "answer": 1}, sent=200)
    after = counts(
        4,
        commands={"ZADD workers": 16, "XADD replies": 12, "BRPOP asr": 3},
        calls={"tick": 16, "answer": 101},
        sent=900,
    )

    cost = cost_of(before, after, idle)

    assert cost == TurnCost(commands={"XADD replies": 12}, calls={"front": 100}, redis_bytes={"in": 500})


def test_of_several_turns_the_smallest_figures_count() -> None:
    other = TurnCost(
        commands={"XADD replies": 13, "PING": 1}, calls={"front": 990}, redis_bytes={"in": 50_000}
    )

    smallest = TurnCost.smallest([KEPT, other])

    assert smallest == replace(KEPT, calls={"front": 990})


def test_another_command_and_more_calls_are_told() -> None:
    assert replace(KEPT, calls={"front": 1030}).problems(KEPT) == []
    assert replace(KEPT, commands={"XADD replies": 11, "GET claim": 1}).problems(KEPT) == [
        "GET claim: 1 commands a turn, kept: 0",
        "XADD replies: 11 commands a turn, kept: 12",
    ]
    assert replace(KEPT, calls={"front": 1031}).problems(KEPT) == [
        "front: 1031 calls a turn, kept: 1000 and 3%"
    ]


def test_figures_are_kept_beside_those_of_other_versions(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text('{"2.7": {"commands": {}}}', encoding="utf-8")

    write_figures(KEPT, path)

    assert read_figures(path) == KEPT
    assert '"2.7"' in path.read_text(encoding="utf-8")
    assert read_figures(tmp_path / "none.json") is None


def test_calls_into_our_own_packages_are_counted_while_a_program_runs(tmp_path: Path) -> None:
    program, path = tmp_path / "program.py", tmp_path / "counts"
    program.write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, "-m", "dispatcher.ops.bench.call_counter", str(path), str(program)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        found = eventually(lambda: read_counts(path), what="counts")
        process.stdin.close()

    assert all("/dispatcher/" in function for function in found)
    assert max(count for function, count in found.items() if "backoff.py" in function) == 7

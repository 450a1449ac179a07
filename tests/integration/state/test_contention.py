"""Several processes on the same caps."""

from __future__ import annotations

import sys
from pathlib import Path

from dispatcher.state import keys
from dispatcher.state.line import RedisLine
from tests.support.broker import Broker
from tests.support.fleet import Fleet, llm
from tests.support.processes import Process

PROCESSES = 3
SECONDS = 2
CAP = 4


async def test_processes_that_hammer_one_cap_never_exceed_it(
    fleet: Fleet, broker: Broker, line: RedisLine, tmp_path: Path
) -> None:
    await fleet.configure("least_connections", llm("A", cap=CAP))
    command = [sys.executable, "-m", "tests.support.cap_hammer", broker.url, str(SECONDS)]
    hammers = [Process(f"hammer-{number}", command, folder=tmp_path) for number in range(PROCESSES)]
    for hammer in hammers:
        hammer.start()
    watched = 0
    while any(hammer.runs for hammer in hammers):
        watched = max(watched, int(await line.call("ZCARD", keys.leases("llm", "A"))))

    assert [hammer.ends() for hammer in hammers] == [0] * PROCESSES, [each.output() for each in hammers]
    counts = [tuple(map(int, hammer.output().split())) for hammer in hammers]
    # They did meet: the cap was reached, and each got its part.
    assert max(highest for _, highest in counts) == CAP
    assert watched <= CAP
    assert all(got > 20 for got, _ in counts)
    assert await fleet.in_flight("A") == 0

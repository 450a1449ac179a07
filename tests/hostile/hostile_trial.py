"""`make hostile`: attacks from another host on a stack of its own, and what good devices notice of them."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import aiohttp
import psutil
from rich.table import Table

from dispatcher.ops.chaos.simulated_devices import SimulatedDevices
from dispatcher.ops.chaos.turn_outcomes import DeviceTurn
from dispatcher.percentile import percentile
from dispatcher.terminal.console import print_view
from dispatcher.terminal.figures import write_results
from tests.hostile.attacks import ATTACKS
from tests.integration.verify.chaos_stack import ChaosStack
from tests.support.hosts import Host, two_hosts

SECONDS: Final = 10.0
DEVICES: Final = 6
# First audio of good devices, p95 under attack against p95 before all attacks.
MOST_SLOWER: Final = 1.25
MOST_GROWTH_MB: Final = 64.0
TRACEBACK: Final = "Traceback"
# Characters before and behind it.
TRACEBACK_SHOWN: Final = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Suffered:
    """One attack, as good devices and the front had it.

    Attributes:
        tried: how often the attacker sent something.
        let_in: how often it was taken for a device that it is not.
        turns: of good devices meanwhile; `unanswered` of them had no answer.
        p95_ms: their time to first audio; None without turns.
        ratio: of that to the time before all attacks.
        front_mb: resident memory of the front after it.
    """

    name: str
    tried: int
    let_in: int
    turns: int
    unanswered: int
    p95_ms: float | None
    ratio: float | None
    front_mb: float
    survived: bool

    def problems(self, front_mb_before: float) -> list[str]:
        """Return what makes the trial fail, in words."""
        found = [] if self.survived else ["the front ended"]
        found += [f"{self.let_in} of {self.tried} were let in"] if self.let_in else []
        found += [f"{self.unanswered} of {self.turns} turns were not answered"] if self.unanswered else []
        if self.ratio is None or self.ratio >= MOST_SLOWER:
            found.append(f"good devices waited {self.ratio or 0:.2f} times as long, expected {MOST_SLOWER:g}")
        if self.front_mb - front_mb_before > MOST_GROWTH_MB:
            found.append(f"the front grew from {front_mb_before:.0f} to {self.front_mb:.0f} MB")
        return [f"{self.name}: {problem}" for problem in found]


class OpenStack(ChaosStack):
    """A stack whose front listens on every address of this host."""

    def __init__(self, folder: Path) -> None:
        """Write the files; nothing is started yet."""
        super().__init__(folder)
        self.environ |= {"FRONT_HOST": "0.0.0.0"}

    @property
    def front(self) -> psutil.Process:
        """Return the process of the front."""
        return psutil.Process(self.pid_of("front"))


class Trial:
    """Attacks one after the other while good devices talk all the time."""

    def __init__(self, stack: OpenStack, attacker: Host, seconds: float) -> None:
        """Attack nothing yet."""
        self._stack = stack
        self._attacker = attacker
        self._seconds = seconds
        port = stack.environ_of_commands["FRONT_PORT"]
        self._target = f"http://{attacker.address.rpartition('.')[0]}.1:{port}"
        self.devices = SimulatedDevices((f"http://127.0.0.1:{port}",), DEVICES)
        self.p95_before_ms = 0.0

    async def run(self, names: list[str]) -> list[Suffered]:
        """Return each attack in its turn."""
        async with aiohttp.ClientSession() as session, self.devices.talking(session):
            await asyncio.sleep(self._seconds)
            self.p95_before_ms = _p95_ms(self.devices.turns) or 1.0
            return [await self._suffer(name) for name in names]

    async def _suffer(self, name: str) -> Suffered:
        since_s, front = time.time(), self._stack.front
        process = await asyncio.create_subprocess_exec(
            *self._attacker.command(sys.executable, "-m", "tests.hostile.attacks", name, self._target),
            str(self._seconds),
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        told = json.loads(printed)
        turns = [turn for turn in self.devices.turns if turn.asked_at_s >= since_s]
        p95_ms = _p95_ms(turns)
        found = Suffered(
            name=name,
            turns=len(turns),
            unanswered=sum(turn.is_failed for turn in turns),
            p95_ms=p95_ms,
            ratio=None if p95_ms is None else p95_ms / self.p95_before_ms,
            front_mb=self._stack.front.memory_info().rss / 1e6,
            survived=front.is_running() and front.pid == self._stack.front.pid,
            **told,
        )
        sys.stdout.write(f"{name}: {found.tried} times, p95 {found.p95_ms or 0:.0f} ms\n")
        sys.stdout.flush()
        return found


def _p95_ms(turns: list[DeviceTurn]) -> float | None:
    return percentile([turn.first_audio_ms for turn in turns if turn.first_audio_ms is not None], 0.95)


def _table(suffered: list[Suffered], p95_before_ms: float) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("attack")
    for heading in ("tried", "let in", "turns", "unanswered", "first audio p95", "× before", "front"):
        table.add_column(heading, justify="right")
    table.add_row("none", "", "", "", "", f"{p95_before_ms:.0f} ms", "1.00")
    for each in suffered:
        table.add_row(
            each.name,
            *(str(number) for number in (each.tried, each.let_in, each.turns, each.unanswered)),
            f"{each.p95_ms or 0:.0f} ms",
            f"{each.ratio or 0:.2f}",
            f"{each.front_mb:.0f} MB",
        )
    return table


def main() -> int:
    """Run the trial; return 0 where it met its goals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each attack")
    parser.add_argument("--only", default="", metavar="NAMES", help=f"some of {', '.join(ATTACKS)}")
    parser.add_argument("--json", default="", metavar="FILE", help="write all of it")
    options = parser.parse_args()
    names = [name for name in ATTACKS if not options.only or name in options.only.split(",")]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder, two_hosts() as (attacker, _):
        stack = OpenStack(Path(folder))
        try:
            stack.start()
            before_mb = stack.front.memory_info().rss / 1e6
            trial = Trial(stack, attacker, options.seconds)
            suffered = asyncio.run(trial.run(names))
            printed = stack.output()
        finally:
            stack.finish()
    table = _table(suffered, trial.p95_before_ms)
    print_view(table)
    problems = [problem for each in suffered for problem in each.problems(before_mb)]
    if tracebacks := printed.count(TRACEBACK):
        around = printed.index(TRACEBACK)
        shown = printed[max(0, around - TRACEBACK_SHOWN) : around + TRACEBACK_SHOWN]
        problems.append(f"{tracebacks} tracebacks in the log, the first one:\n{shown}")
    if options.json:
        found = {"p95_before_ms": trial.p95_before_ms, "attacks": [asdict(each) for each in suffered]}
        write_results(Path(options.json), {"": table}, {**found, "problems": problems})
    sys.stdout.write("\n".join(problems or ["passed"]) + "\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""`make fuzz`: every reader of bytes from outside against inputs that nobody should send."""

from __future__ import annotations

import argparse
import hashlib
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisException
from rich.table import Table

from dispatcher.terminal.console import print_view
from dispatcher.terminal.figures import write_results
from tests.fuzz.reached_lines import Lines, few_cases, reached_lines
from tests.fuzz.target import Target, close_loop
from tests.fuzz.targets import CORPUS, TARGETS, keep_case, kept_cases

CASES: Final = 20_000
# Hypothesis remembers all cases of a run: many short runs, each with a seed of its own, stay small and fast.
BATCH_CASES: Final = 2_000
# Of one case; the slowest takes a hundredth of it.
CASE_TIMEOUT_S: Final = 10
# Of cases that are kept for the lines that they reach.
MOST_KEPT_BYTES: Final = 600
REACHES: Final = "reaches-"


class EndlessCase(BaseException):
    """A case that takes far longer than any other; no reader may catch it."""


@dataclass(slots=True, kw_only=True)
class Fuzzed:
    """One target of a run; its seconds are of CPU, which a busy machine does not change much."""

    name: str
    cases: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    error: str = ""


class Fuzzer:
    """Runs one target in batches, until its cases are done or one of them fails."""

    def __init__(self, target: Target, wanted: int, first_seed: int, *, keeps: int = 0) -> None:
        """Run nothing yet; `keeps` is how many cases are kept at most for the lines that they reach."""
        self.found = Fuzzed(name=target.name)
        self._target = target
        self._wanted = wanted
        self._seed = first_seed
        self._failed: Any = None
        self._keeps = keeps
        self._reaching: dict[bytes, Lines] = {}
        self._reached: Lines = set()

    def run(self, until_s: float) -> Fuzzed:
        """Return what became of all batches."""
        started_s = time.process_time()
        while self.found.cases < self._wanted and not self.found.error and time.monotonic() < until_s:
            self._run_batch(min(BATCH_CASES, self._wanted - self.found.cases))
            self.found.seconds = time.process_time() - started_s
            rate = self.found.cases / max(0.001, self.found.seconds)
            _progress(f"{self.found.name}: {self.found.cases} of {self._wanted} cases, {rate:.0f} a second")
        return self.found

    def _run_batch(self, cases: int) -> None:
        self._seed += 1
        phases = (Phase.generate, Phase.shrink)
        made = settings(
            max_examples=cases,
            deadline=None,
            database=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        )
        test = seed(self._seed)(made(given(self._target.cases)(self._check)))
        try:
            test()
        except HypothesisException as error:
            self.found.error = f"{type(error).__name__}: {error}"
        except (Exception, EndlessCase) as error:  # noqa: BLE001  whatever it is, it is the finding
            self.found.error = "".join(traceback.format_exception_only(error)).strip()
            self._keep(error)

    def _check(self, case: Any) -> None:
        self.found.cases += 1
        self._failed, began_s = case, time.process_time()
        with _bounded():
            if self._keeps:
                self._reach(case)
            else:
                self._target.check(case)
        self.found.slowest_ms = max(self.found.slowest_ms, 1000 * (time.process_time() - began_s))

    def _reach(self, case: Any) -> None:
        lines: Lines = set()
        with reached_lines(lines):
            self._target.check(case)
        if isinstance(case, bytes) and len(case) <= MOST_KEPT_BYTES and not lines <= self._reached:
            self._reaching[case] = lines
            self._reached |= lines

    def keep_reaching(self) -> None:
        """Keep the few cases, of those that were kept and of the new ones, that reach most lines."""
        if not self._keeps:
            return
        for title, case in kept_cases(self._target.name).items():
            if title.startswith(REACHES):
                self._reach(case)
                (CORPUS / self._target.name / title).unlink()
        for case in few_cases(self._reaching, self._keeps):
            self._write(REACHES, case)

    def _keep(self, error: BaseException) -> None:
        traceback.print_exception(error)
        if isinstance(self._failed, bytes):
            sys.stderr.write(f"the smallest such case is kept in {self._write('found-', self._failed)}\n")

    def _write(self, prefix: str, case: bytes) -> Path:
        return keep_case(self._target.name, f"{prefix}{hashlib.sha256(case).hexdigest()[:8]}", case)


@contextmanager
def _bounded() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise EndlessCase(f"not over after {CASE_TIMEOUT_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(CASE_TIMEOUT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _drop(*_: object) -> structlog.typing.EventDict:
    """Log nothing, but where a check captures it."""
    raise structlog.DropEvent


def _progress(text: str) -> None:
    end = "\r" if sys.stdout.isatty() else "\n"
    sys.stdout.write(f"{text:<78}{end}")
    sys.stdout.flush()


def _table(found: list[Fuzzed]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("target")
    for heading in ("cases", "CPU s", "cases a second", "slowest", "errors"):
        table.add_column(heading, justify="right")
    for each in found:
        rate = each.cases / each.seconds if each.seconds else 0
        cells = (f"{each.cases}", f"{each.seconds:.0f}", f"{rate:.0f}", f"{each.slowest_ms:.0f} ms")
        table.add_row(each.name, *cells, str(int(bool(each.error))))
    cases, seconds = sum(each.cases for each in found), sum(each.seconds for each in found)
    errors = str(sum(bool(each.error) for each in found))
    table.add_row("all", str(cases), f"{seconds:.0f}", f"{cases / max(1, seconds):.0f}", "", errors)
    return table


def main() -> int:
    """Run the targets; return 0 where no case failed."""
    options = _options()
    structlog.configure(processors=[_drop])
    chosen = [each for each in TARGETS.values() if not options.only or each.name in options.only.split(",")]
    weights, until_s = sum(each.weight for each in chosen), time.monotonic() + 60 * options.minutes
    found = []
    for each in chosen:
        wanted = max(1, round(options.cases * each.weight / weights))
        fuzzer = Fuzzer(each, wanted, 1_000_000 * options.seed, keeps=options.keep)
        found.append(fuzzer.run(until_s))
        fuzzer.keep_reaching()
    close_loop()
    table = _table(found)
    print_view(table)
    problems = [f"{each.name}: {each.error}" for each in found if each.error]
    if options.json:
        results = {"targets": [asdict(each) for each in found], "problems": problems}
        write_results(Path(options.json), {"": table}, results)
    sys.stdout.write("\n".join(problems or ["passed"]) + "\n")
    return 1 if problems else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES, help="of all targets together")
    parser.add_argument("--minutes", type=float, default=60.0, help="end after so long, whatever is left")
    parser.add_argument("--only", default="", metavar="NAMES", help=f"some of {', '.join(TARGETS)}")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same cases")
    parser.add_argument(
        "--keep", type=int, default=0, metavar="NUMBER", help="of each target, cases that reach most lines"
    )
    parser.add_argument("--json", default="", metavar="FILE", help="write all of it")
    options = parser.parse_args()
    unknown = [name for name in options.only.split(",") if name and name not in TARGETS]
    if unknown:
        parser.error(f"--only: was {', '.join(unknown)}; expected some of {', '.join(TARGETS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())

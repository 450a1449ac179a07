"""Seconds of test work by level (`tests/unit`, `tests/integration/front` …), printed at the end of a run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import pytest

# A level of this many folders is split: whole-stack tests are most of a run.
SPLIT_LEVELS: Final = frozenset({"integration"})


@dataclass(slots=True)
class LevelTime:
    """Work of one level, in seconds of its tests with their fixtures, whichever process ran them."""

    tests: int = 0
    seconds: float = 0.0


class LevelTimes:
    """Plugin of pytest that adds up the reports of all processes of a run."""

    def __init__(self) -> None:
        self.levels: dict[str, LevelTime] = defaultdict(LevelTime)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one phase of one test to its level."""
        level = self.levels[level_of(report.nodeid)]
        level.seconds += report.duration
        level.tests += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the levels, the longest first."""
        terminalreporter.section("seconds of work by level")
        for name, level in sorted(self.levels.items(), key=lambda each: -each[1].seconds):
            terminalreporter.write_line(f"{level.seconds:8.1f} s  {level.tests:5d} tests  {name}")


def level_of(nodeid: str) -> str:
    """Return the level that a test belongs to: the folder below `tests`, or two for a split level."""
    folders = PurePosixPath(nodeid.partition("::")[0]).parts[1:-1]
    return "/".join(folders[: 2 if folders[:1] and folders[0] in SPLIT_LEVELS else 1]) or "tests"

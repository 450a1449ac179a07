"""Finding of a check: what was observed, and what a good deployment shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

# The deployment's check-list before the steps and after them, and the three phases between.
CheckList: TypeAlias = Literal["before", "1", "2", "3", "after"]
Outcome: TypeAlias = Literal["pass", "fail", "not applicable"]
CHECK_LISTS: Final[tuple[CheckList, ...]] = get_args(CheckList)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of a check; its fields are the keys of `--json`.

    Attributes:
        name: what was checked.
        saw: what was observed.
        expected: what a good deployment shows.
        remedy: what to do; empty where nothing has to be.
    """

    name: str
    outcome: Outcome
    saw: str
    expected: str
    remedy: str = ""


def judged(name: str, *, good: bool, saw: str, expected: str) -> Finding:
    """Return a finding that passes or fails."""
    return Finding(name=name, outcome="pass" if good else "fail", saw=saw, expected=expected)


def not_applicable(name: str, saw: str, expected: str = "") -> Finding:
    """Return a finding about what is missing and need not exist, or cannot be known yet."""
    return Finding(name=name, outcome="not applicable", saw=saw, expected=expected)


def age_text(seconds: float | None) -> str:
    """Return an age as it is read."""
    return "never" if seconds is None else f"{seconds:.0f} s ago" if seconds >= 10 else f"{seconds:.1f} s ago"

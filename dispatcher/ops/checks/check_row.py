"""One row of a check-list, and the register of all of them.

A new row is a function beside its kind (`host_checks`, `balancing`, …) that takes the evidence and yields
findings, under `@row(...)` with the lists that it belongs to. The module has to stand in `ROWS_OF` of the
package, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from dispatcher.ops.checks.snapshot import Evidence

# The deployment's check-list before the steps and after them, and the three phases between.
List: TypeAlias = Literal["before", "1", "2", "3", "after"]
Outcome: TypeAlias = Literal["pass", "fail", "not applicable"]
LISTS: Final[tuple[List, ...]] = get_args(List)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one row found: what was seen, and what a good deployment shows.

    Attributes:
        name: what is looked at.
        expected: also says what to do where that is not plain.
    """

    name: str
    outcome: Outcome
    saw: str
    expected: str


Look: TypeAlias = "Callable[[Evidence], Iterator[Finding]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A function that finds, and the lists that it belongs to."""

    lists: tuple[List, ...]
    look: Look


_REGISTER: Final[list[Row]] = []


def row(*lists: List) -> Callable[[Look], Look]:
    """Register a function as rows of these lists, in the order in which modules are imported."""

    def register(look: Look) -> Look:
        _REGISTER.append(Row(lists=lists, look=look))
        return look

    return register


def rows_of(wanted: List) -> list[Row]:
    """Return the rows of one list."""
    return [each for each in _REGISTER if wanted in each.lists]


def judged(name: str, *, good: bool, saw: str, expected: str) -> Finding:
    """Return a finding that passes or fails."""
    return Finding(name=name, outcome="pass" if good else "fail", saw=saw, expected=expected)


def not_applicable(name: str, saw: str, expected: str = "") -> Finding:
    """Return a finding about what is not there and need not be, or cannot be known yet."""
    return Finding(name=name, outcome="not applicable", saw=saw, expected=expected)


def seconds(value: float | None) -> str:
    """Return an age as it is read."""
    return "never" if value is None else f"{value:.0f} s ago" if value >= 10 else f"{value:.1f} s ago"

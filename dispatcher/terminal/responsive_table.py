"""Tables that fit the terminal: columns that matter less are left out, instead of all being cut to pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement

# Returns the table without the columns of these names; what follows it is wrapped where it is too wide.
Make: TypeAlias = Callable[[AbstractSet[str]], tuple[RenderableType, ...]]
_ANY_WIDTH = 10_000


class ResponsiveTable:
    """A table that is made anew with less, until nothing of it has to be wrapped or cut."""

    def __init__(self, make: Make, *, spare: Sequence[str], may_fold: bool = False) -> None:
        """Leave out what is in `spare`, the first first; what then still does not fit is wrapped.

        Args:
            make: returns the table without some columns.
            spare: columns.
            may_fold: a column that folds is no reason to leave any out.
        """
        self._make = make
        self._spare = spare
        self._may_fold = may_fold

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield as much as fits."""
        for count in range(len(self._spare) + 1):
            made = self._make(frozenset(self._spare[:count]))
            wanted = Measurement.get(console, options.update(width=_ANY_WIDTH), made[0])
            if (wanted.minimum if self._may_fold else wanted.maximum) <= options.max_width:
                break
        yield from made

"""Tables of a command; a column that says nothing, or does not fit the terminal, is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

Row = TypeVar("Row")
# Returns the table without the columns of these names; what follows it is wrapped where it is too wide.
Make: TypeAlias = Callable[[AbstractSet[str]], tuple[RenderableType, ...]]
_ANY_WIDTH = 10_000


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of a table.

    Attributes:
        heading: its name.
        text: the cell of a row.
        justify: numbers stand on the right.
        folds: long text is wrapped, instead of being cut.
        min_width: of one that folds.
        is_needed: whether a row has something to say in it; without any such row the column is left out.
    """

    heading: str
    text: Callable[[Row], str | Text]
    justify: Literal["left", "right"] = "left"
    folds: bool = False
    min_width: int | None = None
    is_needed: Callable[[Row], bool] = lambda _: True


def plain_table(*headings: str) -> Table:
    """Return a table without lines, with these columns on the left."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


def table_of(
    rows: Iterable[Row],
    columns: Iterable[Column[Row]],
    *,
    left_out: AbstractSet[str] = frozenset(),
    style: Callable[[Row], str] = lambda _: "",
) -> Table:
    """Return a table of some rows.

    Args:
        rows: one line each.
        columns: from left to right.
        left_out: headings that are not wanted.
        style: of a whole row.
    """
    rows = tuple(rows)
    table = plain_table()
    wanted = (column for column in columns if column.heading not in left_out)
    shown = [column for column in wanted if not rows or any(map(column.is_needed, rows))]
    for column in shown:
        table.add_column(
            column.heading,
            justify=column.justify,
            no_wrap=not column.folds,
            overflow="fold" if column.folds else "ellipsis",
            min_width=column.min_width,
        )
    for row in rows:
        table.add_row(*(column.text(row) for column in shown), style=style(row))
    return table


class ResponsiveTable:
    """A table that is made anew with less, until nothing of it has to be wrapped or cut."""

    def __init__(self, make: Make, *, spare: Sequence[str], may_fold: bool = False) -> None:
        """Leave out what is in `spare`, the first first; what then still does not fit is wrapped.

        Args:
            make: returns the table without some columns.
            spare: headings.
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

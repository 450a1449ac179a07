"""Progress of a bench: a bar for each step on a terminal, a line for each step elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class BenchProgress:
    """Shows one step after the other."""

    def __init__(self, console: Console) -> None:
        """Show them on this console."""
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:<16}"),
            BarColumn(30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        """Begin to show bars."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bars as they are."""
        self._bars.stop()

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a step of so many parts; the block calls what it gets after each."""
        if not self._console.is_terminal:
            self._console.print(title, highlight=False)
        bar = self._bars.add_task(title, total=total)
        yield lambda: self._bars.advance(bar)
        self._bars.stop_task(bar)

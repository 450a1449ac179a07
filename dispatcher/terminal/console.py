"""Console of a command: plain lines without a terminal, and how a time span is written."""

from __future__ import annotations

from typing import Final

from rich.console import Console, RenderableType

WIDTH_WITHOUT_TERMINAL: Final = 120


def make_console() -> Console:
    """Return the console; without a terminal (CI, a pipe) lines are plain and not cut at 80 columns."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)


def print_view(view: RenderableType) -> None:
    """Print a view; without a terminal its lines stay whole."""
    console = make_console()
    console.print(view, soft_wrap=not console.is_terminal)


def duration(seconds: float) -> str:
    """Return a time span in its two largest units at most."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"

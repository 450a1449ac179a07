"""Axis of time and marks that both plots of a run share, as parts of an SVG."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 1160
LEFT: Final = 70
RIGHT: Final = 16
MOST_TIMES: Final = 10
TIME_STEPS_S: Final = (5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400)


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Axis from one Unix time to another."""

    began_at_s: float
    ended_at_s: float

    @property
    def span_s(self) -> float:
        """Its length, at least a second."""
        return max(1.0, self.ended_at_s - self.began_at_s)

    def x(self, at_s: float) -> float:
        """Return where a time stands; one that is off the axis stands at its end."""
        ratio = min(1.0, max(0.0, (at_s - self.began_at_s) / self.span_s))
        return LEFT + ratio * (WIDTH - LEFT - RIGHT)

    def labels(self, y: float) -> Iterator[str]:
        """Yield minutes and seconds since the begin, ten at most."""
        fitting = (each for each in TIME_STEPS_S if self.span_s / each <= MOST_TIMES)
        for at_s in range(0, int(self.span_s) + 1, next(fitting, TIME_STEPS_S[-1])):
            x = self.x(self.began_at_s + at_s)
            yield axis_text(x, y, f"{at_s // 60}:{at_s % 60:02d}", anchor="middle")


def axis_text(x: float, y: float, text: str, *, anchor: str) -> str:
    """Return a label of an axis."""
    return f'<text class="axis" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def grid_line(y: float, text: str) -> str:
    """Return a line across the plot, with what it stands for."""
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + axis_text(LEFT - 8, y + 4, text, anchor="end")


def rect(kind: str, x: float, y: float, width: float, height: float, *, title: str = "") -> str:
    """Return a rectangle; its title, where it has one, is shown under the pointer."""
    shape = f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">'
    return f"{shape}{f'<title>{html.escape(title)}</title>' if title else ''}</rect>"


def svg(height: int, label: str, parts: Iterable[str]) -> str:
    """Return the whole SVG, in the colours of the page's style sheet."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )

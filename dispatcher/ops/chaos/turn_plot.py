"""Plot of every turn over time as one SVG: wait, outcome, and the fault that was in place."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from typing import Final

from dispatcher.ops.chaos.chaos_test import VerifyReport
from dispatcher.ops.chaos.evaluation import BASELINE
from dispatcher.ops.chaos.plot_axes import LEFT, TimeAxis, axis_text, grid_line, rect, svg
from dispatcher.ops.chaos.turn_outcomes import OUTCOMES, DeviceTurn, Outcome, Window

HEIGHT: Final = 400
TOP: Final = 66
BOTTOM: Final = 40
# Turns without any sound have no time to first audio; they stand in a band of their own above the rest.
BAND_HEIGHT: Final = 34
LOWEST_MS: Final = 50.0
HIGHEST_MS: Final = 30_000.0
GRID_MS: Final = (100, 300, 1000, 3000, 10_000)
COLOURS: Final[dict[Outcome, str]] = {
    "answered": "#2f7d5b",
    "apologised": "#d98b00",
    "cut": "#8a4fd0",
    "silent": "#d0342c",
    "disconnected": "#8a4fbf",
    "refused": "#5a6b7d",
}


def plot(report: VerifyReport) -> str:
    """Return the SVG, in the colours of the page's style sheet."""
    canvas = _Canvas(report)
    parts = [*canvas.windows(), *canvas.grid(), *canvas.turns(), *canvas.legend()]
    label = "Time to first audio of every turn, coloured by outcome; fault windows are shaded."
    return svg(HEIGHT, label, parts)


class _Canvas:
    """The scales of one plot, and its parts."""

    def __init__(self, report: VerifyReport) -> None:
        self._report = report
        self._axis = TimeAxis(report.began_at_s, report.ended_at_s)

    def windows(self) -> Iterator[str]:
        """Yield a band for each fault: dark while it was in place, light until all was well."""
        for index, each in enumerate(self._report.evaluations):
            window = each.window
            if window.skipped:
                continue
            yield from self._window(window, lane=index % 2)

    def grid(self) -> Iterator[str]:
        """Yield lines and labels of both axes."""
        for ms in GRID_MS:
            yield grid_line(self._y(ms), f"{ms} ms" if ms < 1000 else f"{ms // 1000} s")
        yield axis_text(LEFT - 8, TOP + 20, "no sound", anchor="end")
        yield from self._axis.labels(HEIGHT - 14)

    def turns(self) -> Iterator[str]:
        """Yield a dot for each turn, the good ones first so that no bad one is hidden."""
        for turn in sorted(self._report.turns, key=lambda each: OUTCOMES.index(each.outcome)):
            yield self._dot(turn)

    def legend(self) -> Iterator[str]:
        """Yield what the colours mean."""
        for index, outcome in enumerate(OUTCOMES):
            x = LEFT + index * 110
            yield f'<circle cx="{x + 5}" cy="14" r="5" fill="{COLOURS[outcome]}"/>'
            yield f'<text class="axis" x="{x + 16}" y="18">{outcome}</text>'

    def _window(self, window: Window, *, lane: int) -> Iterator[str]:
        times_s = (window.began_at_s, window.undone_at_s, window.ended_at_s)
        left, middle, right = (self._axis.x(each) for each in times_s)
        is_calm = window.fault == BASELINE
        name = "nothing broken" if is_calm else window.fault
        title = f"{name}: {window.what}"
        bands = [("calm", left, right)] if is_calm else [("fault", left, middle), ("after", middle, right)]
        for kind, start, end in bands:
            yield rect(kind, start, TOP, end - start, HEIGHT - TOP - BOTTOM, title=title)
        yield f'<text class="name" x="{left + 2:.1f}" y="{TOP - 22 + 14 * lane}">{html.escape(name)}'
        yield f"<title>{html.escape(title)}</title></text>"

    def _dot(self, turn: DeviceTurn) -> str:
        x = self._axis.x(turn.asked_at_s)
        # Those of a moment stand side by side, not on top of each other.
        y = TOP + 8 + turn.device % 8 * 2.5 if turn.first_audio_ms is None else self._y(turn.first_audio_ms)
        heard = (
            "no sound" if turn.first_audio_ms is None else f"first audio after {turn.first_audio_ms:.0f} ms"
        )
        title = html.escape(
            f"device {turn.device}, {turn.outcome}, {heard}{'; ' if turn.reason else ''}{turn.reason}"
        )
        size = 3 if turn.outcome == "answered" else 5
        return (
            f'<circle class="turn" cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{COLOURS[turn.outcome]}">'
            f"<title>{title}</title></circle>"
        )

    def _y(self, ms: float) -> float:
        bounded = min(HIGHEST_MS, max(LOWEST_MS, ms))
        ratio = math.log(bounded / LOWEST_MS) / math.log(HIGHEST_MS / LOWEST_MS)
        floor, ceiling = HEIGHT - BOTTOM - 6, TOP + BAND_HEIGHT
        return floor - ratio * (floor - ceiling)

"""Plot of every turn over time as one SVG: wait, outcome, and the fault that was in place."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from typing import Final

from dispatcher.ops.chaos.chaos_test import VerifyReport
from dispatcher.ops.chaos.turn_outcomes import OUTCOMES, DeviceTurn, Outcome, Window

WIDTH: Final = 1160
HEIGHT: Final = 400
LEFT: Final = 64
RIGHT: Final = 16
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
    parts = [
        *canvas.windows(),
        *canvas.grid(),
        *canvas.turns(),
        *canvas.legend(),
    ]
    label = "Time to first audio of every turn, coloured by outcome; fault windows are shaded."
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


class _Canvas:
    """The scales of one plot, and its parts."""

    def __init__(self, report: VerifyReport) -> None:
        self._report = report
        self._span_s = max(1.0, report.ended_at_s - report.began_at_s)

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
            y = self._y(ms)
            label = f"{ms} ms" if ms < 1000 else f"{ms // 1000} s"
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="axis" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        yield f'<text class="axis" x="{LEFT - 8}" y="{TOP + 20}" text-anchor="end">no sound</text>'
        step_s = 30 if self._span_s <= 400 else 60
        for at_s in range(0, int(self._span_s) + 1, step_s):
            x = self._x(self._report.began_at_s + at_s)
            text = f"{at_s // 60}:{at_s % 60:02d}"
            yield f'<text class="axis" x="{x:.1f}" y="{HEIGHT - 14}" text-anchor="middle">{text}</text>'

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
        left, middle = self._x(window.began_at_s), self._x(window.undone_at_s)
        right = self._x(window.ended_at_s)
        is_calm = window.fault == "none"
        bands = [("calm", left, right)] if is_calm else [("fault", left, middle), ("after", middle, right)]
        for kind, start, end in bands:
            yield (
                f'<rect class="{kind}" x="{start:.1f}" y="{TOP}" width="{max(0.0, end - start):.1f}" '
                f'height="{HEIGHT - TOP - BOTTOM}"/>'
            )
        name = "nothing broken" if is_calm else window.fault
        title = html.escape(f"{name}: {window.what}")
        yield f'<text class="name" x="{left + 2:.1f}" y="{TOP - 22 + 14 * lane}">{html.escape(name)}'
        yield f"<title>{title}</title></text>"

    def _dot(self, turn: DeviceTurn) -> str:
        x = self._x(turn.asked_at_s)
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

    def _x(self, at_s: float) -> float:
        ratio = min(1.0, max(0.0, (at_s - self._report.began_at_s) / self._span_s))
        return LEFT + ratio * (WIDTH - LEFT - RIGHT)

    def _y(self, ms: float) -> float:
        bounded = min(HIGHEST_MS, max(LOWEST_MS, ms))
        ratio = math.log(bounded / LOWEST_MS) / math.log(HIGHEST_MS / LOWEST_MS)
        floor, ceiling = HEIGHT - BOTTOM - 6, TOP + BAND_HEIGHT
        return floor - ratio * (floor - ceiling)

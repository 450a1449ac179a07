"""Tables of a replay, and the assumptions behind them in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.ops.replay.recorded_calls import NEAREST, RecordedCall, end_of
from dispatcher.ops.replay.replay_figures import Comparison, Figures, Row
from dispatcher.ops.replay.replay_world import Replayed
from dispatcher.percentile import percentile
from dispatcher.terminal.tables import ResponsiveTable

# What a narrow terminal does without, the first first.
SPARE_REPLAY_COLUMNS: Final = ("at once", "mean ms", "p50 ms")
_LOOKS: Final[dict[str, Any]] = {"box": box.SIMPLE_HEAD, "pad_edge": False}


def comparison_view(found: Comparison, heading: str) -> RenderableType:
    """Return the heading, the table of instances and what is to be known about its figures."""
    return Group(
        Text(f"{found.calls} calls in {found.lasted_s:.0f} s {heading}", style="bold"),
        ResponsiveTable(partial(_table, found), spare=SPARE_REPLAY_COLUMNS),
        *(Text(line) for line in notes(found)),
    )


def turn_view(calls: Sequence[RecordedCall], replayed: Sequence[Replayed]) -> RenderableType:
    """Return each call of one turn: where it went as recorded, and where it would go."""
    table = Table("call", "recorded", "replayed", "because", **_LOOKS)
    for number, (call, now) in enumerate(zip(calls, replayed, strict=True), start=1):
        then = " → ".join(
            f"{each.instance} {end_of(each).outcome} {end_of(each).latency_ms:.0f} ms"
            for each in call.attempts
        )
        new = " → ".join(
            f"{each.instance} {each.estimate.outcome} {each.estimate.latency_ms:.0f} ms"
            + ("" if each.estimate.source == "recorded" else f" ({each.estimate.source})")
            for each in now.attempts
        )
        because = now.attempts[-1].reason if now.attempts else ""
        table.add_row(str(number), then, new or "no slot", because)
    return table


def _table(found: Comparison, left_out: AbstractSet[str]) -> tuple[Table]:
    table = Table(**_LOOKS)
    table.add_column("recorded → replayed", no_wrap=True)
    shown = {name: told for name, told in _COLUMNS.items() if name not in left_out}
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    for row in found.rows:
        table.add_row(row.name, *_cells(row, shown))
    table.add_section()
    table.add_row("all", *_cells(found.total, shown), style="bold")
    return (table,)


def _cells(row: Row, shown: Mapping[str, Callable[[Figures], str]]) -> Iterator[str]:
    return (f"{told(row.then)} → {told(row.now)}" for told in shown.values())


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


_COLUMNS: Final[Mapping[str, Callable[[Figures], str]]] = {
    "calls": lambda one: str(one.attempts),
    "share": lambda one: f"{one.share:.1%}",
    "at once": lambda one: str(one.peak),
    "mean ms": lambda one: _ms(one.mean_ms),
    "p50 ms": lambda one: _ms(one.percentile_ms(0.5)),
    "p95 ms": lambda one: _ms(one.percentile_ms(0.95)),
    "failed": lambda one: str(one.failed),
}


def notes(found: Comparison) -> Iterator[str]:
    """Yield what the figures rest on, and what a replay cannot know."""
    yield f"calls that failed in the end: {found.failed_then} recorded, {found.failed_now} replayed"
    yield _waits(found)
    sources = found.sources
    yield (
        f"times of the replay: {sources['recorded']} are as recorded (the call stayed on its instance); "
        f"{sources['moved']} moved and are estimated from the {NEAREST} calls recorded nearest in time on "
        "the new instance: their median, times how much longer or shorter than usual the call was where it "
        "ran; it fails as often as they did"
    )
    if sources["guessed"]:
        yield (
            f"{sources['guessed']} went to an instance of which nothing is recorded: all instances of the "
            "service stand for it, so take those figures for a guess"
        )
    yield (
        "not known to a replay: waits before a recorded slot (a call arrives when it got its slot), how load "
        "changes an instance's speed, health checks, drains, CPU and memory; every instance starts unknown"
    )
    if found.left_out:
        yield f"left out: {found.left_out} decisions without an end (under way, or their worker died)"


def _waits(found: Comparison) -> str:
    waits = found.waits_ms
    if not waits:
        return "waits for a slot in the replay: none"
    told = (
        f"waits for a slot in the replay: {len(waits)} calls, p50 {percentile(waits, 0.5):.0f} ms, "
        f"p95 {percentile(waits, 0.95):.0f} ms, longest {max(waits):.0f} ms"
    )
    return f"{told}; {found.gave_up} got none in time" if found.gave_up else told

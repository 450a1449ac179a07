"""What a replay says, as tables and as plain words about what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.cli.bench.samples import percentile
from dispatcher.cli.replay_calls import NEAREST, Call, end_of
from dispatcher.cli.replay_figures import Comparison, Row
from dispatcher.cli.replay_world import Replayed

_LOOKS: Final[dict[str, Any]] = {"box": box.SIMPLE_HEAD, "pad_edge": False}


def comparison_view(found: Comparison, heading: str) -> RenderableType:
    """Return the heading, the table of instances and what is to be known about its figures."""
    return Group(
        Text(f"{found.calls} calls in {found.lasted_s:.0f} s {heading}", style="bold"),
        _table(found),
        *(Text(line) for line in notes(found)),
    )


def turn_view(calls: Sequence[Call], replayed: Sequence[Replayed]) -> RenderableType:
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


def _table(found: Comparison) -> Table:
    table = Table(**_LOOKS)
    table.add_column("recorded → replayed")
    for name in ("calls", "share", "at once", "mean ms", "p50 ms", "p95 ms", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found.rows:
        table.add_row(row.name, *_cells(row))
    table.add_section()
    table.add_row("all", *_cells(found.total), style="bold")
    return table


def _cells(row: Row) -> Iterator[str]:
    then, now = row.then, row.now
    yield f"{then.attempts} → {now.attempts}"
    yield f"{then.share:.1%} → {now.share:.1%}"
    yield f"{then.peak} → {now.peak}"
    yield f"{_ms(then.mean_ms)} → {_ms(now.mean_ms)}"
    for share in (0.5, 0.95):
        yield f"{_ms(then.percentile_ms(share))} → {_ms(now.percentile_ms(share))}"
    yield f"{then.failed} → {now.failed}"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


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

"""The tables of `dispatcher records`: what is kept, what waits, what was lost, and turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.state.keys import RECORDS_MAXLEN
from dispatcher.state.record_stream import StreamState

if TYPE_CHECKING:
    from dispatcher.records.report import StoreReport

MEGABYTE = 1_000_000


def report_view(
    where: str,
    report: StoreReport | None,
    *,
    trouble: str,
    stream: StreamState | None,
    stream_trouble: str,
) -> RenderableType:
    """Return the whole answer; `trouble` says why one of the two halves is missing."""
    parts: list[RenderableType] = []
    if report is not None:
        parts += [_kept(report), Text("")]
    facts = Table.grid(padding=(0, 2))
    facts.add_row("store", Text(where))
    for name, value in _facts(report, stream, trouble=trouble, stream_trouble=stream_trouble):
        facts.add_row(name, value)
    return Group(*parts, facts)


def _facts(
    report: StoreReport | None, stream: StreamState | None, *, trouble: str, stream_trouble: str
) -> Iterator[tuple[str, Text]]:
    if report is None:
        yield "state", Text(f"{trouble}; entries wait in the stream until it is back", style="red")
    else:
        yield "state", Text("answers", style="green")
        yield "size", Text(f"{report.size_bytes / MEGABYTE:.1f} MB")
    if stream is None:
        yield (
            "backlog",
            Text(stream_trouble or "no drain has begun: is a control worker running?", style="red"),
        )
    else:
        full = stream.backlog >= RECORDS_MAXLEN
        yield "backlog", Text(f"{stream.backlog} of {RECORDS_MAXLEN}", style="red" if full else "")
    yield "dropped", _dropped(report, stream)


def _dropped(report: StoreReport | None, stream: StreamState | None) -> Text:
    """Return what was lost: as written down, and what the stream lost since."""
    lost = {} if report is None else dict(report.dropped)
    if stream is not None:
        told = report.dropped_of_life if report is not None and report.life == stream.life else 0
        lost["not written down yet"] = max(0, stream.dropped - told)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(lost.items()) if count)
    return Text(reasons, style="bold red") if reasons else Text("0")


def _kept(report: StoreReport) -> Table:
    table = _table("records", "oldest", "newest")
    table.add_column("rows", justify="right", no_wrap=True)
    for each in report.tables:
        table.add_row(each.name, _time(each.oldest_ms), _time(each.newest_ms), str(each.rows))
    return table


def turns_view(turns: Sequence[Mapping[Any, Any]]) -> RenderableType:
    """Return one row for each turn, oldest first."""
    if not turns:
        return Text("no turns are kept yet", style="yellow")
    table = _table("began", "turn", "device", "outcome")
    for heading in ("first audio ms", "played ms", "sentences", "gaps"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("instances")
    table.add_column("reason")
    for turn in turns:
        table.add_row(*_turn_row(turn))
    return table


def _turn_row(turn: Mapping[Any, Any]) -> tuple[str | Text, ...]:
    instances = (turn[f"{service}_instance"] for service in ("asr", "llm", "tts"))
    good = turn["outcome"] == "answered"
    return (
        _time(turn["started_at_ms"] or turn["entry_ms"]),
        Text(turn["turn"][:12]),
        Text(turn["device"]),
        Text(turn["outcome"], style="green" if good else "yellow"),
        _number(turn["first_audio_ms"]),
        _number(turn["played_ms"]),
        _number(turn["sentences"]),
        _number(turn["gaps"]),
        Text(" ".join(name for name in instances if name)),
        Text(turn["reason"]),
    )


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _time(at_ms: int | None) -> str:
    """Return a Unix time in ms as the operator's clock shows it."""
    if at_ms is None:
        return "–"
    return f"{datetime.fromtimestamp(at_ms / 1000).astimezone():%Y-%m-%d %H:%M:%S}"

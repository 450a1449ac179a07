"""Tables of `dispatcher records`: rows kept, backlog, losses, and turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.telemetry.record_stream import RECORDS_MAXLEN, StreamState
from dispatcher.terminal.tables import Column, ResponsiveTable, table_of

if TYPE_CHECKING:
    from dispatcher.records.report import StoreReport

MEGABYTE = 1_000_000
# What a narrow terminal does without, the first first.
SPARE_TURN_COLUMNS: Final = (
    "sentences",
    "gaps",
    "played ms",
    "instances",
    "reason",
    "audio ms",
    "device",
    "began",
)


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
        yield "state", Text(f"{trouble}; entries wait in the stream until it answers", style="red")
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
    return table_of(report.tables, _TABLE_COLUMNS)


def turns_view(turns: Sequence[Mapping[Any, Any]]) -> RenderableType:
    """Return one row for each turn, oldest first."""
    if not turns:
        return Text("no turns are kept yet", style="yellow")
    return ResponsiveTable(
        lambda left_out: (table_of(turns, _TURN_COLUMNS, left_out=left_out),), spare=SPARE_TURN_COLUMNS
    )


def _outcome(turn: Mapping[Any, Any]) -> Text:
    return Text(turn["outcome"], style="green" if turn["outcome"] == "answered" else "yellow")


def _instances(turn: Mapping[Any, Any]) -> Text:
    names = (turn[f"{service}_instance"] for service in ("asr", "llm", "tts"))
    return Text(" ".join(name for name in names if name))


def _number_in(key: str) -> Callable[[Mapping[Any, Any]], str]:
    return lambda turn: _number(turn[key])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _time(at_ms: int | None) -> str:
    """Return a Unix time in ms as the operator's clock shows it."""
    if at_ms is None:
        return "–"
    return f"{datetime.fromtimestamp(at_ms / 1000).astimezone():%Y-%m-%d %H:%M:%S}"


_TURN_COLUMNS: Final[tuple[Column[Mapping[Any, Any]], ...]] = (
    Column("began", lambda turn: _time(turn["started_at_ms"] or turn["entry_ms"]).partition("-")[2]),
    Column("turn", lambda turn: Text(turn["turn"][:8])),
    Column("device", lambda turn: Text(turn["device"])),
    Column("outcome", _outcome),
    Column("audio ms", _number_in("first_audio_ms"), "right"),
    Column("played ms", _number_in("played_ms"), "right"),
    Column("sentences", _number_in("sentences"), "right"),
    Column("gaps", _number_in("gaps"), "right"),
    Column("instances", _instances, folds=True),
    Column("reason", lambda turn: Text(turn["reason"]), folds=True),
)
_TABLE_COLUMNS: Final[tuple[Column[Any], ...]] = (
    Column("records", lambda each: each.name),
    Column("oldest", lambda each: _time(each.oldest_ms)),
    Column("newest", lambda each: _time(each.newest_ms)),
    Column("rows", lambda each: str(each.rows), "right"),
)

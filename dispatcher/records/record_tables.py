"""The tables of `dispatcher records`: what is kept, what waits, what was lost, and turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.redis_client.keys import RECORDS_MAXLEN
from dispatcher.telemetry.record_stream import StreamState
from dispatcher.terminal.responsive_table import ResponsiveTable

if TYPE_CHECKING:
    from dispatcher.records.report import StoreReport

MEGABYTE = 1_000_000
# What a narrow terminal does without, the first first.
SPARE: Final = ("sentences", "gaps", "played ms", "instances", "reason", "audio ms", "device", "began")


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
    table = _table("records", "oldest", "newest")
    table.add_column("rows", justify="right", no_wrap=True)
    for each in report.tables:
        table.add_row(each.name, _time(each.oldest_ms), _time(each.newest_ms), str(each.rows))
    return table


def turns_view(turns: Sequence[Mapping[Any, Any]]) -> RenderableType:
    """Return one row for each turn, oldest first."""
    if not turns:
        return Text("no turns are kept yet", style="yellow")
    return ResponsiveTable(partial(_turns_table, turns), spare=SPARE)


def _turns_table(turns: Sequence[Mapping[Any, Any]], left_out: AbstractSet[str]) -> tuple[Table]:
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = [column for column in _COLUMNS if column.heading not in left_out]
    for column in shown:
        folds = column.heading in _FOLDED
        overflow: Literal["fold", "ellipsis"] = "fold" if folds else "ellipsis"
        table.add_column(column.heading, justify=column.justify, no_wrap=not folds, overflow=overflow)
    for turn in turns:
        table.add_row(*(column.text(turn) for column in shown))
    return (table,)


class _Column(NamedTuple):
    heading: str
    text: Callable[[Mapping[Any, Any]], str | Text]
    justify: Literal["left", "right"] = "left"


def _outcome(turn: Mapping[Any, Any]) -> Text:
    return Text(turn["outcome"], style="green" if turn["outcome"] == "answered" else "yellow")


def _instances(turn: Mapping[Any, Any]) -> Text:
    names = (turn[f"{service}_instance"] for service in ("asr", "llm", "tts"))
    return Text(" ".join(name for name in names if name))


def _number_in(key: str) -> Callable[[Mapping[Any, Any]], str]:
    return lambda turn: _number(turn[key])


_COLUMNS: Final = (
    _Column("began", lambda turn: _time(turn["started_at_ms"] or turn["entry_ms"]).partition("-")[2]),
    _Column("turn", lambda turn: Text(turn["turn"][:8])),
    _Column("device", lambda turn: Text(turn["device"])),
    _Column("outcome", _outcome),
    _Column("audio ms", _number_in("first_audio_ms"), "right"),
    _Column("played ms", _number_in("played_ms"), "right"),
    _Column("sentences", _number_in("sentences"), "right"),
    _Column("gaps", _number_in("gaps"), "right"),
    _Column("instances", _instances),
    _Column("reason", lambda turn: Text(turn["reason"])),
)
_FOLDED: Final = ("instances", "reason")


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

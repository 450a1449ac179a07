"""Tables give up whole columns before they cut any."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import pytest
from rich.console import Console, RenderableType
from rich.table import Table

from dispatcher.records.record_tables import turns_view
from dispatcher.terminal.tables import Column, ResponsiveTable, table_of

TURN = {
    "started_at_ms": 1_795_650_000_000,
    "entry_ms": 0,
    "turn": "5906150fc3c24cd5",
    "device": "02:be:00:00:00:01",
    "outcome": "apologised",
    "first_audio_ms": 12_345,
    "played_ms": 6789,
    "sentences": 3,
    "gaps": 0,
    "asr_instance": "asr-1",
    "llm_instance": "llm-1",
    "tts_instance": "tts-1",
    "reason": "llm: all full",
}


def shown(what: RenderableType, *, width: int) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def made(left_out: AbstractSet[str]) -> tuple[RenderableType, ...]:
    table = Table(box=None, pad_edge=False)
    for name in ("first", "second", "third"):
        if name not in left_out:
            table.add_column(name, no_wrap=True)
    return table, "what follows is wrapped"


@pytest.mark.parametrize(
    ("width", "heading"), [(30, "first second third"), (14, "first second"), (6, "first"), (3, "fi…")]
)
def test_columns_go_in_their_order_until_the_rest_fits(width: int, heading: str) -> None:
    first_line = shown(ResponsiveTable(made, spare=("third", "second")), width=width).splitlines()[0]
    assert " ".join(first_line.split()) == heading


@pytest.mark.parametrize("width", [80, 100, 200])
def test_recent_turns_are_never_cut(width: int) -> None:
    text = shown(turns_view([TURN]), width=width)
    assert "…" not in text
    assert "5906150f  02:be:00:00:00:01  apologised" in text
    assert ("sentences" in text) == (width > 100)


COLUMNS: tuple[Column[dict[str, str]], ...] = (
    Column("name", lambda row: row["name"]),
    Column("code", lambda row: row["code"], is_needed=lambda row: bool(row["code"])),
)


@pytest.mark.parametrize(
    ("code", "left_out", "headings"),
    [("7", set(), ["name", "code"]), ("", set(), ["name"]), ("7", {"name"}, ["code"])],
)
def test_a_column_is_left_out_where_no_row_needs_it_or_none_is_wanted(
    code: str, left_out: set[str], headings: list[str]
) -> None:
    table = table_of([{"name": "a", "code": code}], COLUMNS, left_out=left_out)
    assert [column.header for column in table.columns] == headings

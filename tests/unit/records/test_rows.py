"""What becomes of a record on its way to a row."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.messages import Record, RecordKind
from dispatcher.records.rows import readings_of, row_of


def record(kind: RecordKind, **fields: Any) -> Record:
    return Record(entry_ms=1_700_000_000_000, entry_seq=3, kind=kind, fields=fields)


def test_what_has_no_column_goes_into_extra() -> None:
    row = row_of(record("turn", turn="t", device="d", outcome="answered", gaps=2, asr_ms=91.5))
    assert (row["turn"], row["device"], row["gaps"], row["first_audio_ms"]) == ("t", "d", 2, None)
    assert json.loads(row["extra"]) == {"asr_ms": 91.5}
    assert (row["entry_ms"], row["entry_seq"]) == (1_700_000_000_000, 3)


def test_a_sample_is_named_by_its_instance_and_a_figure_by_itself() -> None:
    sample = row_of(record("sample", service="llm", instance="llm-1", at_s=1.0, in_flight=2, state="ready"))
    assert (sample["kind"], sample["service"], sample["name"]) == ("sample", "llm", "llm-1")
    assert readings_of(sample["extra"]) == {"in_flight": 2.0}
    figure = row_of(record("kpi", name="response time", value=1.5, at_ms=7))
    assert (figure["kind"], figure["name"], readings_of(figure["extra"])) == (
        "kpi",
        "response time",
        {"value": 1.5},
    )


def test_an_entry_cannot_choose_its_own_key() -> None:
    row = row_of(record("decision", entry_ms=1, entry_seq=1, event="tried", why="slow"))
    assert (row["entry_ms"], row["entry_seq"], row["event"]) == (1_700_000_000_000, 3, "tried")


def test_a_huge_extra_is_cut_to_what_a_column_takes() -> None:
    row = row_of(record("alert", name="n", words="x" * 20_000))
    assert json.loads(row["extra"])["cut_characters"] > 20_000


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from(["turn", "gaps", "played_ms", "started_at_ms", "odd"]), VALUES))
def test_every_value_fits_its_column(fields: dict[str, Any]) -> None:
    row = row_of(record("turn", **fields))
    assert len(row["turn"]) <= 64
    assert row["gaps"] is None or abs(row["gaps"]) < 2**31
    assert abs(row["started_at_ms"]) < 2**63
    row["turn"].encode()
    json.loads(row["extra"])

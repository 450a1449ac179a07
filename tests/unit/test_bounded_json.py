"""JSON from outside: how deep it may be, and what becomes of half a surrogate pair."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.bounded_json import MAX_JSON_DEPTH, read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@given(value=VALUES, is_ascii=st.booleans())
def test_a_value_is_what_was_written(value: Any, *, is_ascii: bool) -> None:
    written = json.dumps(value, ensure_ascii=is_ascii)

    assert read_json(written) == read_json(written.encode()) == value


@pytest.mark.parametrize("raw", ["", "{", b"\xff", "9" * 5_000, '"a\tb"', nested(100_000), nested(101)])
def test_what_is_no_json_or_too_deep_is_a_value_error(raw: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_json(raw)


def test_a_level_too_many_is_counted_also_in_objects() -> None:
    inner = '{"a": ' * (MAX_JSON_DEPTH + 1) + "1" + "}" * (MAX_JSON_DEPTH + 1)

    with pytest.raises(ValueError, match="more than 100 levels"):
        read_json(inner)


@pytest.mark.parametrize("raw", [nested(100), "[" + "[]," * 500 + "[]]", json.dumps("[" * 500)])
def test_as_many_levels_as_may_be_and_brackets_beside_each_other_are_read(raw: str) -> None:
    assert read_json(raw) == json.loads(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (r'"\ud83d"', "\ufffd"),
        (r'{"\udc00": ["a\uD83D"]}', {"\ufffd": ["a\ufffd"]}),
        (r'"\ud83d\ude00 \ud83d"', "😀 \ufffd"),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\u0041"', "A"),
    ],
)
def test_half_a_sign_is_replaced_and_a_whole_one_stays(raw: str, value: Any) -> None:
    found = read_json(raw)

    assert found == value
    json.dumps(found, ensure_ascii=False).encode()


def test_a_byte_order_mark_is_passed_over_and_line_ends_in_texts_are_read_where_asked() -> None:
    assert read_json(b"\xef\xbb\xbf[1]") == [1]
    assert read_json('"a\nb"', strict=False) == "a\nb"

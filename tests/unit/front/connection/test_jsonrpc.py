"""JSON-RPC as devices speak it, and what they may send instead."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.front.connection.jsonrpc import MAX_RESULT_CHARACTERS, Answer, read_answer, tool_result
from dispatcher.tools.model import ToolResult

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_an_answer_carries_its_result() -> None:
    assert read_answer({"jsonrpc": "2.0", "id": 3, "result": {"tools": []}}) == Answer(
        id=3, result={"tools": []}
    )
    assert read_answer({"id": 3.0, "result": None}) == Answer(id=3)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"message": "Unknown tool: self.x"}, "Unknown tool: self.x"),
        ({"code": -32601, "message": "no"}, "no"),
        ({"message": {"why": 1}}, '{"why": 1}'),
        ("in plain words", "in plain words"),
        ({"message": " "}, "the device gave no reason"),
        ({"message": "x" * 900}, "x" * 200),
    ],
)
def test_an_error_needs_no_code_and_has_words_in_any_case(error: Any, words: str) -> None:
    assert read_answer({"id": 1, "error": error}) == Answer(id=1, error=words)


@pytest.mark.parametrize(
    "payload",
    [
        *(None, "text", [], 7, {}),
        {"id": "1", "result": {}},
        {"id": True, "result": {}},
        {"id": 1.5, "result": {}},
        {"id": float("inf"), "result": {}},
        {"id": 1},
        {"id": 1, "method": "ping", "result": {}},
    ],
)
def test_what_is_no_answer_is_passed_over(payload: Any) -> None:
    assert read_answer(payload) is None


def test_the_texts_of_a_result_are_joined_and_other_things_named() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "image", "data": "…"}, "odd", {"type": "text"}]
    assert tool_result({"content": parts}) == ToolResult(text="one\n[image]\n")


def test_a_result_says_that_it_failed() -> None:
    failed = tool_result({"content": [{"type": "text", "text": "no"}], "isError": True})
    assert failed == ToolResult(text="no", failed=True)


@pytest.mark.parametrize("result", ["true", True, None, {"content": "x"}, []])
def test_a_result_of_another_form_is_told_as_it_is(result: Any) -> None:
    assert tool_result(result).text == json.dumps(result)


def test_a_long_result_is_cut() -> None:
    text = tool_result({"content": [{"type": "text", "text": "x" * 90_000}]}).text
    assert len(text) == MAX_RESULT_CHARACTERS + 1


@given(JSON)
def test_nothing_that_a_device_sends_breaks_the_reading(payload: Any) -> None:
    read_answer(payload)
    tool_result(payload)
    read_answer({"id": 1, "error": payload})

"""Parts of chunks in each form that servers send."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceFailed
from dispatcher.providers.event_stream import Malformed
from dispatcher.providers.llm.openai_chunks import Delta, read_delta
from dispatcher.providers.llm.reply_reader import MAX_MALFORMED_CHUNKS, UnreadableChunks

CALL = {"function": {"name": "mute"}}


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (None, Delta()),
        ({}, Delta()),
        ({"content": "Hi"}, Delta(text="Hi")),
        ({"content": [{"text": "H"}, "i"]}, Delta(text="Hi")),
        ({"refusal": "No."}, Delta(text="No.")),
        ({"reasoning": "Hm", "content": None}, Delta(reasoning="Hm")),
        ({"content": [{"type": "thinking", "thinking": "Hm"}]}, Delta(reasoning="Hm")),
        ({"tool_calls": [CALL]}, Delta(calls=[CALL])),
        ({"tool_calls": CALL}, Delta(calls=[CALL])),
        ({"function_call": {"name": "mute"}}, Delta(calls=[{"index": 0, **CALL}])),
        ({"content": "Hi", "tool_calls": "mute"}, Delta(text="Hi", unreadable=["mute"])),
        ("Hi", Delta(unreadable=["Hi"])),
        ({"content": 7}, Delta(unreadable=[{"content": 7}])),
    ],
)
def test_a_delta_adds_text_reasoning_and_calls(sent: Any, read: Delta) -> None:
    assert read_delta(sent) == read


def unreadable() -> UnreadableChunks:
    return UnreadableChunks(Instance(service="llm", name="llm-1", endpoint="http://llm/v1"))


def test_an_answer_without_choices_is_shown_where_nothing_else_came() -> None:
    chunks = unreadable()
    chunks.raise_if_any()
    chunks.add_without_choice({"status": "queued"})
    with pytest.raises(InstanceFailed, match=r"is no reply: .*queued"):
        chunks.raise_if_any()
    chunks.mark_choice()
    chunks.raise_if_any()


def test_a_few_malformed_chunks_are_passed_over_and_many_are_not() -> None:
    chunks = unreadable()
    for _ in range(MAX_MALFORMED_CHUNKS):
        chunks.add(Malformed(b"{half"))
    with pytest.raises(InstanceFailed, match=r"chunk was b'\{half'"):
        chunks.raise_if_any()
    with pytest.raises(InstanceFailed, match="chunk was"):
        chunks.add({"more": 1})

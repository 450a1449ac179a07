"""Server-sent events cut anywhere and written in every way that the standard and real servers know."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.bounded_json import read_json
from dispatcher.providers import event_stream
from dispatcher.providers.event_stream import MAX_TRIES, EventStreamDecoder, Malformed, StreamItem

ONE, TWO = {"n": 1}, {"n": 2, "text": "现在 🕛 \u2028"}
RAW_TWO = '{"n": 2, "text": "现在 🕛 \u2028"}'.encode()


def decoded(*parts: bytes) -> list[StreamItem]:
    """Return the items of a stream that comes in these parts."""
    decoder = EventStreamDecoder()
    items = [item for part in parts for item in decoder.feed(part)]
    return items + decoder.finish()


@pytest.mark.parametrize(
    ("stream", "items"),
    [
        (b'data: {"n": 1}\n\ndata: [DONE]\n\n', [ONE, "done"]),
        (b'data:{"n":1}\r\n\r\ndata:[DONE]\r\n\r\n', [ONE, "done"]),
        (b'data: {"n": 1}\r\rdata: [DONE]\r\r', [ONE, "done"]),
        (b'data: {"n": 1}\n\ndata: {"n": 1}', [ONE, ONE]),
        (b'data: {"n": 1}\ndata: {"n": 1}\n', [ONE, ONE]),
        (b'data: {"n":\ndata: 1}\n\n', [ONE]),
        (b'data: {\ndata:  "n": 1\ndata: }\n\n', [ONE]),
        (b"data:\n\ndata\n\ndata: \n\n", []),
        (b": keep-alive\n\n:\n\n", ["comment", "comment"]),
        (b'\xef\xbb\xbfdata: {"n": 1}\n\n', [ONE]),
        (b'id: 7\nevent: message\nretry: 10\ndata: {"n": 1}\nother\n\n', [ONE]),
        (b'event: error\ndata: {"message": "no"}\n\n', [{"error": {"message": "no"}}]),
        (b"data: {\n\ndata: [1]\n\n", [Malformed(b"{"), Malformed(b"[1]")]),
        (b'data: {"cut": \ndata: {"n": 1}\n\n', [Malformed(b'{"cut": '), ONE]),
        (b"data: " + RAW_TWO + b"\n\n", [TWO]),
        (b'{"n": 1}', [ONE]),
        (b'\n {"n": 1}\n' + RAW_TWO + b"\n", [ONE, TWO]),
        (b'{\n  "n": 1\n}\n', [ONE]),
        (b'{\r\n\r\n  "n": {\r\n    "x": 1\r\n  }\r\n}', [{"n": {"x": 1}}]),
        (b"<html>\n<p>502</p>\n", []),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_stream_is_read_by_the_standard_and_as_servers_write_it(
    stream: bytes, items: list[StreamItem], size: int
) -> None:
    assert decoded(*(stream[at : at + size] for at in range(0, len(stream), size))) == items


LINES = st.sampled_from(
    [
        b'data: {"n": 1}',
        b"data:" + RAW_TWO,
        b'data: {"n":',
        b"data: 1}",
        b"data:",
        b"",
        b": x",
        b"event: error",
    ]
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=12)


@given(STREAMS, st.lists(st.integers(0, 200), max_size=8))
def test_any_slices_of_a_stream_give_the_same_items(
    lines: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    whole = b"".join(line + end for line, end in lines)
    places = sorted({min(cut, len(whole)) for cut in cuts} | {0, len(whole)})
    parts = [whole[start:end] for start, end in pairwise(places)]

    assert decoded(*parts) == decoded(whole)


def test_a_body_of_many_lines_is_not_read_again_at_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(raw: str) -> Any:
        read.append(raw)
        return read_json(raw)

    monkeypatch.setattr(event_stream, "read_json", counted)
    body = b'{"a": [\n' + b'{"b": 1},\n}\n' * 3_000

    assert len(decoded(body)) <= 1
    assert len(read) <= 2 * MAX_TRIES + 1


def test_a_body_of_more_lines_than_are_tried_is_read_at_its_end() -> None:
    body = json.dumps({"a": [{"b": n} for n in range(300)]}, indent=1).encode()

    assert decoded(body) == [json.loads(body)]


def test_an_event_that_is_too_deep_is_malformed() -> None:
    deep = b"[" * 900 + b"]" * 900

    assert decoded(b'data: {"a": ' + deep + b"}\n\n") == [Malformed((b'{"a": ' + deep)[:200])]

"""What comes out of Redis: answers on the wire, replies, utterances, records, messages of stages."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress
from typing import Any, Final, cast

from hypothesis import strategies as st
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from dispatcher import chains
from dispatcher.dialogue.turn import Turn
from dispatcher.errors import StateError
from dispatcher.redis_client.decoding import entries_of
from dispatcher.redis_client.pipelined_connection import AnswerProtocol
from dispatcher.telemetry import record_stream
from dispatcher.turn_store import replies, utterance_stream
from tests.fuzz.mutation import bytes_like, json_like
from tests.fuzz.target import Target, loaded, only, require_text, run, slices_of

_TICKET: Final = {
    "turn_id": "t",
    "attempt": 1,
    "device_id": "d",
    "reply_stream": "s",
    "deadline_at_s": 1.0,
    "text": "hi",
}
_STAGE: Final[list[Any]] = [
    {
        "headers": {"task": "llm.respond", "sent_at_s": 1.0},
        "properties": {"body_encoding": encoding},
        "body": body,
    }
    for encoding, body in (
        (None, json.dumps([[_TICKET, 1, "hi"], {}, {}])),
        ("base64", base64.b64encode(json.dumps([[_TICKET], {}, {}]).encode()).decode()),
    )
]
_ENTRIES: Final[list[Any]] = [
    {"turn": "t", "attempt": "1", "kind": "transcript", "text": "hi", "timings": "{}"},
    {"turn": "t", "attempt": "1", "kind": "audio", "index": "0", "packets": "\x00\x01a", "last": "1"},
    {"turn": "t", "attempt": "1", "kind": "sentence", "index": "0", "text": "Hi."},
    {"turn": "t", "attempt": "2", "kind": "end", "index": "1"},
    {"turn": "t", "attempt": "1", "kind": "failed", "text": "llm: no"},
    {"turn": "t", "attempt": "1", "kind": "lost", "text": "tts", "index": "0"},
    {"kind": "turn", "fields": '{"turn": "t", "at_s": 1}'},
    {"ticket": json.dumps(_TICKET), "packets": ""},
]
_WIRE: Final = [
    *(b"+OK\r\n", b":12\r\n", b"$5\r\nhello\r\n", b"$-1\r\n", b"*2\r\n$1\r\na\r\n:1\r\n", b"-ERR no\r\n"),
    *(
        b"-LOADING x\r\n",
        b"%1\r\n+a\r\n:1\r\n",
        b">2\r\n+message\r\n+x\r\n",
        b"*-1\r\n",
        b"_\r\n",
        b",1.5\r\n",
    ),
    *(b"*1\r\n*1\r\n*1\r\n:1\r\n", b"#t\r\n", b"(123456789\r\n", b"=7\r\ntxt:abc\r\n", b"~1\r\n:1\r\n"),
]


class _Transport:
    """A transport that only notes that it was cut."""

    def __init__(self) -> None:
        self.is_cut = False

    def get_protocol(self) -> asyncio.Protocol:
        return asyncio.Protocol()

    def set_protocol(self, protocol: asyncio.Protocol) -> None:
        pass

    def is_closing(self) -> bool:
        return self.is_cut

    def write(self, _: bytes) -> None:
        pass

    def abort(self) -> None:
        self.is_cut = True


def _wire(data: bytes) -> None:
    """Await three answers on a connection that gets these bytes, and then ends."""

    async def exchange() -> None:
        transport, answers = _Transport(), list[Any]()
        protocol = AnswerProtocol(transport)
        waiting = asyncio.ensure_future(protocol.exchange(b"", 3, answers.append, timeout_s=5))
        await asyncio.sleep(0)
        for part in slices_of(data):
            protocol.data_received(part)
        protocol.connection_lost(None)
        with suppress(RedisError, OSError):
            await waiting
        assert waiting.done()
        assert len(answers) <= 3

    run(exchange())


def _entry(data: bytes) -> None:
    """Read one entry as a reply, as a part of an utterance, and as a record."""
    found = loaded(data)
    if not isinstance(found, dict):
        return
    # Text that is no UTF-8 stands in entries as any bytes do.
    fields = {
        str(key).encode("utf-8", "replace"): str(value).encode("utf-8", "surrogatepass")
        for key, value in found.items()
    }
    with capture_logs():
        if b"turn" in fields:
            turn = Turn(text="Hi!", now=0.0, stage_timeout_s=10.0)
            for reply in replies.parsed(fields):
                require_text(reply.text)
                turn.on_reply(reply, 0.0)
                turn.on_clock(100.0)
        reader = utterance_stream.UtteranceReader(cast("Any", None), "t")
        with only(StateError):
            reader._parts([[b"stream", [(b"1-0", fields)]]])
        flat = [part for pair in fields.items() for part in pair]
        record_stream._batch([(b"1-0", flat), (b"2-0", None)])
    assert list(entries_of([[b"stream", []]])) == []


def _stage(data: bytes) -> None:
    """Read the message of a stage whose worker was lost."""
    chains.sent_at_s(data)
    lost = chains.stage_reply(data, "lost")
    if lost is not None:
        assert isinstance(lost[1].index, int)


TARGETS: Final = (
    Target(
        name="redis-wire",
        cases=st.lists(st.sampled_from(_WIRE) | bytes_like(_WIRE), max_size=5).map(b"".join),
        check=_wire,
    ),
    Target(name="entry", cases=json_like(_ENTRIES), check=_entry),
    Target(name="stage", cases=json_like(_STAGE) | bytes_like([b"", b"null"]), check=_stage),
)

"""The way back from the workers to one front, and what a turn and a dialogue leave in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from dispatcher.audio.packets import pack
from dispatcher.dialogue.history import Message
from dispatcher.dialogue_store import recent_history
from dispatcher.errors import BudgetSpent, StateError, TurnCancelled
from dispatcher.messages import Reply
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.turn_store import replies, utterance_audio
from dispatcher.turn_store.replies import ReplyReader
from tests.support.broker import Broker
from tests.support.waiting import WAIT_TIMEOUT_S

STREAM = keys.reply_stream("front-1")
EVERY_BYTE = bytes(range(256))

KINDS = [
    Reply(
        turn_id="t",
        attempt=1,
        kind="transcript",
        text="现在几点了？",
        timings={"asr_instance": "asr-1", "ms": 1.5},
    ),
    Reply(turn_id="t", attempt=1, kind="emotion", text="happy"),
    Reply(turn_id="t", attempt=2, kind="sentence", index=3, text="It is noon.\nReally 🙂"),
    Reply(turn_id="t", attempt=1, kind="audio", index=3, packets=pack([EVERY_BYTE, b"\0", b"\r\n"])),
    Reply(turn_id="t", attempt=1, kind="audio", index=3, packets=b"\0\0", last=True, timings={}),
    Reply(turn_id="t", attempt=1, kind="end", index=4),
    Reply(turn_id="t", attempt=1, kind="failed", text="tts: gone", index=2, error="InstanceUnreachable"),
]


@pytest.fixture
async def reader(broker: Broker) -> AsyncIterator[ReplyReader]:
    """The reader of a front whose stream is open."""
    opened = ReplyReader(connect(broker.url, socket_timeout_s=None), STREAM)
    await opened.open()
    yield opened
    await opened.close()


async def read(reader: ReplyReader, count: int) -> list[Reply]:
    """Read until there are so many replies."""
    got: list[Reply] = []
    async with asyncio.timeout(WAIT_TIMEOUT_S):
        while len(got) < count:
            got += await reader.read()
    return got


@pytest.mark.parametrize("reply", KINDS, ids=lambda reply: f"{reply.kind}-{reply.index}")
async def test_every_kind_of_reply_arrives_as_it_was_sent(
    redis: RedisClient, reader: ReplyReader, reply: Reply
) -> None:
    replies.send(redis, STREAM, reply)
    (got,) = await read(reader, 1)
    assert got == replace(reply, timings=reply.timings or None)


@pytest.mark.parametrize(
    ("told", "error"), [(str(BudgetSpent("llm", "kids")), "BudgetSpent"), ("no llm instance is free", "")]
)
async def test_a_failure_of_an_older_worker_says_in_words_what_its_error_is(
    redis: RedisClient, reader: ReplyReader, told: str, error: str
) -> None:
    replies.send(redis, STREAM, Reply(turn_id="t", attempt=1, kind="failed", text=f"llm: {told}"))
    (got,) = await read(reader, 1)
    assert got.error == error


async def test_replies_arrive_in_order_and_none_twice(redis: RedisClient, reader: ReplyReader) -> None:
    for number in range(1_500):
        replies.send(redis, STREAM, Reply(turn_id="t", attempt=1, kind="sentence", index=number, text="x"))
    assert [reply.index for reply in await read(reader, 1_500)] == list(range(1_500))
    replies.send(redis, STREAM, Reply(turn_id="t", attempt=1, kind="end"))
    assert [reply.kind for reply in await reader.read()] == ["end"]


async def test_a_front_that_is_gone_gets_no_stream(redis: RedisClient) -> None:
    replies.send(redis, keys.reply_stream("gone"), Reply(turn_id="t", attempt=1, kind="end"))
    assert await redis.execute("EXISTS", keys.reply_stream("gone")) == 0


async def test_what_was_read_is_trimmed_and_the_rest_stays(redis: RedisClient, reader: ReplyReader) -> None:
    for number in range(50):
        replies.send(redis, STREAM, Reply(turn_id="t", attempt=1, kind="sentence", index=number, text="x"))
    await read(reader, 50)
    replies.send(redis, STREAM, Reply(turn_id="t", attempt=1, kind="end", index=50))
    await reader.trim(redis)
    assert await redis.execute("XLEN", STREAM) == 2
    assert [reply.kind for reply in await reader.read()] == ["end"]
    assert 0 < await redis.execute("TTL", STREAM) <= replies.REPLIES_TTL_S


async def test_a_stream_that_redis_lost_is_made_anew_by_the_next_trim(
    redis: RedisClient, reader: ReplyReader
) -> None:
    # It has a time to live, so `volatile-ttl` may evict it when the memory is full.
    await redis.execute("DEL", STREAM)
    await reader.trim(redis)
    replies.send(redis, STREAM, Reply(turn_id="t", attempt=1, kind="end", index=7))
    assert [reply.index for reply in await read(reader, 1)] == [7]


async def test_an_utterance_can_be_read_more_than_once(redis: RedisClient) -> None:
    utterance_audio.put(redis, "t", EVERY_BYTE)
    assert await utterance_audio.read(redis, "t") == EVERY_BYTE
    assert await utterance_audio.read(redis, "t") == EVERY_BYTE
    assert 0 < await redis.execute("TTL", keys.claim("t")) <= keys.TURN_TTL_S


async def test_an_utterance_that_is_gone_is_a_state_error(redis: RedisClient) -> None:
    with pytest.raises(StateError, match="claim of turn t is gone"):
        await utterance_audio.read(redis, "t")


async def test_an_utterance_that_was_spoken_over_is_not_transcribed(redis: RedisClient) -> None:
    utterance_audio.put(redis, "t", EVERY_BYTE)
    utterance_audio.cancel(redis, "t")
    with pytest.raises(TurnCancelled):
        await utterance_audio.read(redis, "t")


async def test_a_dialogue_is_remembered_in_order_and_halved_when_full(redis: RedisClient) -> None:
    said = [
        Message(role="user", content=f"第 {number} 句")
        for number in range(recent_history.HISTORY_MESSAGES + 6)
    ]
    held = []
    for at in range(0, len(said), 2):
        recent_history.remember(redis, "device", said[at : at + 2])
        held.append(len(await recent_history.recall(redis, "device")))
    half = recent_history.HISTORY_MESSAGES // 2
    assert max(held) <= recent_history.HISTORY_MESSAGES + 2
    assert held[-2:] == [half + 2, half + 4]
    assert await recent_history.recall(redis, "device") == said[-half - 4 :]
    assert 0 < await redis.execute("TTL", keys.history("device")) <= recent_history.HISTORY_TTL_S


def test_a_reply_of_a_kind_that_is_not_known_is_dropped_and_logged() -> None:
    entry = {b"turn": b"t", b"attempt": b"1", b"kind": b"song"}
    with capture_logs() as logs:
        assert replies.parsed(entry) == []

    assert (logs[0]["event"], logs[0]["turn"]) == ("reply not readable", "t")
    assert "kind 'song', expected one of alive, audio" in logs[0]["reason"]
    assert len(replies.parsed({**entry, b"kind": b"end"})) == 1


@pytest.mark.parametrize("timings", [b"-1", b"[1]", b'{"ms": [1]}', b"{", b"[" * 5_000])
def test_a_reply_whose_timings_are_no_facts_is_dropped_and_logged(timings: bytes) -> None:
    entry = {b"turn": b"t", b"attempt": b"1", b"kind": b"transcript", b"timings": timings}
    with capture_logs() as logs:
        assert replies.parsed(entry) == []
    assert [each["event"] for each in logs] == ["reply not readable"]
    assert replies.parsed({**entry, b"timings": b'{"ms": 1.5}'})[0].timings == {"ms": 1.5}

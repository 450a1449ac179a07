"""Replies on their way to turns, over connections that break."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import cast

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from dispatcher.control.overrides import RuntimeOverrides
from dispatcher.front.connection.reply_pump import READ_PAUSE_S, ReplyPump
from dispatcher.messages import Reply, ReplyKind
from dispatcher.redis_client.client import RedisClient
from dispatcher.turn_store.replies import ReplyReader
from tests.support.virtual_time import run_in_virtual_time
from tests.unit.front.fakes import FakeFront, fake_front


@dataclass
class FakeStream:
    """A stream whose reads are given; after the last one it waits for ever."""

    reads: list[list[Reply] | Exception]
    opened: int = 0
    trimmed: asyncio.Event = field(default_factory=asyncio.Event)
    drained: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self) -> None:
        self.opened += 1

    async def read(self) -> list[Reply]:
        if not self.reads:
            self.drained.set()
            await asyncio.Event().wait()
        found = self.reads.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def trim(self, redis: RedisClient) -> None:
        assert redis is not None
        self.trimmed.set()


@dataclass
class FakeTurn:
    """A turn that keeps its replies, and fails at some."""

    replies: list[Reply] = field(default_factory=list)

    def on_reply(self, reply: Reply) -> None:
        if reply.kind == "failed":
            raise ValueError(reply.text)
        self.replies.append(reply)

    def on_clock(self) -> None:
        """Nothing is late."""


def reply(turn_id: str, kind: ReplyKind = "sentence") -> Reply:
    return Reply(turn_id=turn_id, attempt=1, kind=kind)


async def pump(front: FakeFront, stream: FakeStream) -> int:
    """Run a pump until its stream has no more; return how often it connected."""
    connected = []

    async def on_connected() -> None:
        connected.append(True)

    running = asyncio.create_task(
        ReplyPump(front.context, cast("ReplyReader", stream), on_connected=on_connected).run()
    )
    async with asyncio.timeout(5):
        await stream.drained.wait()
    running.cancel()
    return len(connected)


async def test_each_reply_is_routed_to_its_turn_and_that_of_a_turn_that_is_over_is_dropped() -> None:
    front, one, two = fake_front(), FakeTurn(), FakeTurn()
    front.context.turns.add("one", one)
    front.context.turns.utterances["two"] = two

    await pump(front, FakeStream([[reply("one"), reply("two")], [], [reply("three"), reply("one")]]))

    assert (one.replies, two.replies) == ([reply("one")] * 2, [reply("two")])


async def test_a_connection_that_broke_is_opened_again_and_logged_once() -> None:
    front, turn = fake_front(), FakeTurn()
    front.context.turns.add("one", turn)
    stream = FakeStream([[reply("one")], RedisConnectionError("gone"), [reply("one")]])

    with capture_logs() as logged:
        connected = await pump(front, stream)

    assert (stream.opened, connected, len(turn.replies)) == (2, 2, 2)
    assert [line["event"] for line in logged] == ["replies interrupted"]
    assert front.context.status.replies_flow


async def test_a_reply_that_its_turn_cannot_use_does_not_stop_the_others() -> None:
    front, turn = fake_front(), FakeTurn()
    front.context.turns.add("one", turn)

    with capture_logs() as logged:
        await pump(front, FakeStream([[reply("one", "failed"), reply("one")]]))

    assert turn.replies == [reply("one")]
    assert [line["event"] for line in logged] == ["reply not usable"]


async def test_the_stream_is_trimmed_as_often_as_the_overrides_ask() -> None:
    front, stream = fake_front(), FakeStream([])
    front.context.status.overrides = RuntimeOverrides(reply_kept_s=0.001)

    trimming = asyncio.create_task(
        ReplyPump(front.context, cast("ReplyReader", stream), on_connected=stream.open).trim()
    )
    async with asyncio.timeout(2):
        await stream.trimmed.wait()
    trimming.cancel()


async def reads_until_drained(batches: list[list[Reply] | Exception]) -> float:
    """Return how long a pump took for these batches, by the clock of the loop."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    await pump(fake_front(), FakeStream(batches))
    return loop.time() - begun_s


def test_after_a_batch_more_is_let_come_unless_a_sentence_begins() -> None:
    first = replace(reply("one", "audio"), timings={"tts_instance": "tts-1"})

    async def scenario() -> None:
        assert await reads_until_drained([[first], [first, reply("one")], []]) == 0
        assert await reads_until_drained([[reply("one")], [reply("two")]]) == pytest.approx(2 * READ_PAUSE_S)

    run_in_virtual_time(scenario())

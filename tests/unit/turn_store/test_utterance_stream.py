"""The stream of an utterance: what the front appends is what each reader reads, from the beginning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from dispatcher.errors import StateError
from dispatcher.messages import TurnTicket
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.turn_store import utterance_stream
from dispatcher.turn_store.utterance_stream import UtterancePart, UtteranceReader
from tests.support.broker import Broker

TURN = TurnTicket(
    turn_id="a-turn",
    attempt=1,
    device_id="a-device",
    reply_stream="a-front",
    deadline_at_s=1_700_000_000.25,
    tool_list="what-it-can-do",
)


@pytest.fixture
async def client(broker: Broker) -> AsyncIterator[Redis]:
    opened = connect(broker.url, socket_timeout_s=None)
    yield opened
    await opened.aclose()


async def read_all(reader: UtteranceReader) -> list[UtterancePart]:
    parts: list[UtterancePart] = []
    while not parts or parts[-1].ticket is None:
        parts += await reader.read()
    return parts


async def test_every_reader_gets_all_of_it_in_order(redis: RedisClient, client: Redis) -> None:
    utterance_stream.append(redis, "a-turn", b"one")
    utterance_stream.append(redis, "a-turn", b"two")
    early = UtteranceReader(client, "a-turn")
    first = await early.read()
    utterance_stream.end(redis, TURN)
    said = [*first, *await read_all(early)]
    assert [part.packed for part in said] == [b"one", b"two", b""]
    assert [part.ticket for part in said] == [None, None, TURN]
    assert await read_all(UtteranceReader(client, "a-turn")) == said


async def test_it_expires_by_itself(redis: RedisClient) -> None:
    utterance_stream.append(redis, "a-turn", b"one")
    ttl_s = await redis.execute("TTL", keys.utterance("a-turn"))
    assert 0 < ttl_s <= keys.TURN_TTL_S


async def test_a_quiet_while_is_an_empty_answer_and_a_lost_broker_an_error(
    fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(utterance_stream, "UTTERANCE_READ_BLOCK_MS", 20)
    client = connect(fresh_broker.url, socket_timeout_s=None)
    reader = UtteranceReader(client, "nobody")
    assert await reader.read() == []
    fresh_broker.kill()
    with pytest.raises(StateError):
        await reader.read()
    await client.aclose()


async def test_the_end_of_a_front_of_another_version_is_an_error(redis: RedisClient, client: Redis) -> None:
    await redis.execute("XADD", keys.utterance("a-turn"), "*", "ticket", '{"colour": "red"}')
    with pytest.raises(StateError, match="not readable"):
        await UtteranceReader(client, "a-turn").read()


async def test_who_reads_while_the_broker_restarts_reads_on_when_it_is_back(fresh_broker: Broker) -> None:
    client = connect(fresh_broker.url, socket_timeout_s=None)
    redis = RedisClient(connect(fresh_broker.url), reconnect_timeout_s=30)
    reading = asyncio.create_task(read_all(UtteranceReader(client, TURN.turn_id)))
    await redis.execute("PING")
    fresh_broker.kill()
    fresh_broker.start()
    await redis.execute("PING")
    utterance_stream.append(redis, TURN.turn_id, b"more")
    utterance_stream.end(redis, TURN)
    async with asyncio.timeout(30):
        parts = await reading
    assert b"".join(part.packed for part in parts) == b"more"
    await redis.close()
    await client.aclose()

"""Reader of a queue whose connection broke without Redis knowing of it."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from dispatcher.backoff import BackOff
from dispatcher.pipeline.loop_thread import LoopThread
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.connection import connect
from dispatcher.redis_client.pipelined_connection import PipelinedConnection
from tests.support.broker import Broker
from tests.support.waiting import WAIT_TIMEOUT_S, soon
from workers.celery_ext import loop_consumer
from workers.celery_ext.loop_consumer import LoopConsumer, QueueReader
from workers.celery_ext.taken import TakenMessages

QUEUE = "llm"


async def test_the_read_before_a_reconnect_takes_no_message_any_more(
    broker: Broker, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = TakenMessages()
    taken.begin([QUEUE])
    taken.connect(cast("LoopThread", None), redis)
    taken.limit(0)
    monkeypatch.setattr(taken, "_beat_at_s", float("inf"))
    monkeypatch.setattr(loop_consumer, "TAKEN", taken)
    reader = QueueReader(QUEUE, cast("LoopConsumer", None))
    clients = [connect(broker.url, socket_timeout_s=None) for _ in range(2)]

    def read(number: int) -> asyncio.Task[None]:
        connection = PipelinedConnection(clients[number])
        return asyncio.create_task(reader._read(connection, BackOff()))

    async def blocked() -> bool:
        return b"cmd=blmove" in await redis.execute("CLIENT", "LIST")

    before = read(0)
    await soon(blocked, what="the first connection waits")
    now = read(1)
    with pytest.raises(RedisConnectionError):
        await asyncio.wait_for(before, WAIT_TIMEOUT_S)
    await soon(blocked, what="the second one waits")
    now.cancel()
    await asyncio.wait([now])
    for client in clients:
        await client.aclose()

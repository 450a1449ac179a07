"""The protocol that reads answers: what a server may send, and what it may fail to send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.exceptions import BusyLoadingError, InvalidResponse, NoScriptError
from redis.exceptions import ConnectionError as RedisConnectionError

from dispatcher.redis_client.connection import connect
from dispatcher.redis_client.pipelined_connection import AnswerProtocol, PipelinedConnection
from tests.support.broker import Broker
from tests.support.waiting import WAIT_TIMEOUT_S, soon


class Served:
    """A server that answers each write with the next of these texts; None closes the connection."""

    def __init__(self) -> None:
        self.answers: list[bytes | None] = []
        self.running = AsyncExitStack()
        self._serving: list[asyncio.Task[Any] | None] = []

    async def connected(self) -> AnswerProtocol:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.running.push_async_callback(self._end)
        self.running.callback(server.close)
        port = server.sockets[0].getsockname()[1]
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", port)
        self.running.callback(transport.abort)
        return AnswerProtocol(transport)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.append(asyncio.current_task())
        while await reader.read(1000) and self.answers:
            answer = self.answers.pop(0)
            if answer is None:
                break
            writer.write(answer)
        writer.close()

    async def _end(self) -> None:
        await asyncio.gather(*filter(None, self._serving), return_exceptions=True)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    made = Served()
    async with made.running:
        yield made


async def exchanged(answers: AnswerProtocol, count: int, found: list[Any], timeout_s: float = 20.0) -> None:
    await answers.exchange(b"x", count, found.append, timeout_s=timeout_s)


async def test_answers_are_handed_on_in_order_and_an_error_is_one_of_them(served: Served) -> None:
    served.answers = [b"+OK\r\n>2\r\n+invalidate\r\n+key\r\n-NOSCRIPT none\r\n:3\r\n", b"#f\r\n"]
    answers, found = await served.connected(), list[Any]()
    await exchanged(answers, 3, found)
    await exchanged(answers, 1, found)
    assert [found[0], *found[2:]] == [b"OK", 3, False]
    assert isinstance(found[1], NoScriptError)
    assert answers.is_open


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"-LOADING its file\r\n", BusyLoadingError),
        (b"no answer of Redis\r\n", InvalidResponse),
        (None, RedisConnectionError),
    ],
)
async def test_what_is_no_answer_ends_the_connection(
    served: Served, sent: bytes | None, expected: type[Exception]
) -> None:
    served.answers = [b":1\r\n" + sent if sent else sent]
    answers, found = await served.connected(), list[Any]()
    with pytest.raises(expected):
        await exchanged(answers, 2, found)
    assert found == ([1] if sent else [])
    assert not answers.is_open


async def test_an_answer_that_does_not_come_in_time_ends_the_connection(served: Served) -> None:
    served.answers = [b":1\r\n", b""]
    answers, found = await served.connected(), list[Any]()
    with pytest.raises(TimeoutError):
        await exchanged(answers, 2, found, timeout_s=0.05)
    assert not answers.is_open


async def test_who_gives_up_leaves_no_answer_to_the_next(served: Served) -> None:
    served.answers = [b""]
    answers = await served.connected()
    waiting = asyncio.ensure_future(exchanged(answers, 1, []))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert not answers.is_open


async def test_an_answer_to_nothing_ends_the_connection(served: Served) -> None:
    served.answers = [b":1\r\n:2\r\n"]
    answers, found = await served.connected(), list[Any]()
    await exchanged(answers, 1, found)
    assert found == [1]

    async def is_cut() -> bool:
        return not answers.is_open

    await soon(is_cut, what="the connection is cut")


async def test_a_connection_that_was_cut_is_made_anew_and_an_open_one_is_kept(broker: Broker) -> None:
    client = connect(broker.url)
    connection = PipelinedConnection(client)
    with pytest.raises(RedisConnectionError):
        await connection.execute("PING", timeout_s=5)
    await connection.open()
    first = await connection.execute("CLIENT", "ID", timeout_s=5)
    await connection.open()
    assert await connection.execute("CLIENT", "ID", timeout_s=5) == first
    connection.close()
    assert not connection.is_open
    await connection.open()
    assert await connection.execute("CLIENT", "ID", timeout_s=5) != first
    with pytest.raises(Exception, match="wrong number"):
        await connection.execute("GET", timeout_s=5)
    await client.aclose()


async def test_an_answer_that_nobody_can_take_ends_the_connection(served: Served) -> None:
    served.answers = [b":1\r\n"]
    answers = await served.connected()

    def refuse(answer: Any) -> None:
        raise AttributeError(answer)

    with pytest.raises(InvalidResponse, match="AttributeError"):
        await asyncio.wait_for(answers.exchange(b"x", 1, refuse, timeout_s=0.5), WAIT_TIMEOUT_S)
    assert not answers.is_open


async def test_a_master_that_became_a_replica_is_left(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.answers = [b"-READONLY You can't write against a read only replica.\r\n"]
    client = connect("sentinel://127.0.0.1:1/0?master_name=m")
    try:
        connection = PipelinedConnection(client)
        monkeypatch.setattr(connection, "_answers", await served.connected())
        with pytest.raises(RedisConnectionError, match="no master"):
            await asyncio.wait_for(connection.execute("SET", "key", 1, timeout_s=0.5), WAIT_TIMEOUT_S)
        assert not connection.is_open
    finally:
        await client.aclose()

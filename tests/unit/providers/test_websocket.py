"""A WebSocket to an instance: what comes is bounded and in time, and every end says whose fault it was."""

from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import AsyncGenerator

import aiohttp
import pytest
from aiohttp import web

from dispatcher.errors import (
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
    InstanceRefused,
    InstanceUnreachable,
)
from dispatcher.providers import websocket
from dispatcher.providers.http import new_session
from dispatcher.providers.websocket import MAX_MESSAGE_BYTES, Socket, open_socket
from tests.support.services.socket_server import SocketServer, read_for_ever, serving_sockets
from tests.support.waiting import WAIT_TIMEOUT_S


@pytest.fixture
async def server() -> AsyncGenerator[SocketServer]:
    async with serving_sockets() as running:
        yield running


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with new_session() as opened:
        yield opened


async def first_message(
    session: aiohttp.ClientSession, server: SocketServer, *, within_s: float = WAIT_TIMEOUT_S
) -> str | bytes:
    async with open_socket(session, server.instance(), server.url) as socket:
        return await socket.receive(within_s=within_s)


async def first_object(session: aiohttp.ClientSession, server: SocketServer) -> dict[str, object]:
    async with open_socket(session, server.instance(), server.url) as socket:
        return await socket.receive_object(within_s=WAIT_TIMEOUT_S)


async def test_messages_go_both_ways_as_what_they_are(
    session: aiohttp.ClientSession, server: SocketServer
) -> None:
    async def echo(socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                await socket.send_str(message.data)
            else:
                await socket.send_bytes(message.data)

    server.talks(echo)
    async with open_socket(session, server.instance(), server.url, headers={"X-Key": "k"}) as socket:
        await socket.send("你好")
        await socket.send(b"\0\1")
        await socket.send_object({"text": "你好"})

        assert await socket.receive(within_s=WAIT_TIMEOUT_S) == "你好"
        assert await socket.receive(within_s=WAIT_TIMEOUT_S) == b"\0\1"
        assert await socket.receive_object(within_s=WAIT_TIMEOUT_S) == {"text": "你好"}
    assert server.requests[0].headers["X-Key"] == "k"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, InstanceForbidden) for status in (401, 402, 403, 404)),
        *((status, InstanceBusy) for status in (429, 503)),
        *((status, InstanceFailed) for status in (200, 500, 502)),
        (400, InstanceRefused),
    ],
)
async def test_a_refused_handshake_tells_whose_fault_it_is_and_why(
    session: aiohttp.ClientSession, server: SocketServer, status: int, error: type[InstanceError]
) -> None:
    server.refuses(status, '{"message": "HMAC signature does not match"}')

    with pytest.raises(error, match=f"HTTP {status}.*HMAC signature does not match") as raised:
        await first_message(session, server)
    assert type(raised.value) is error


async def test_a_busy_service_says_when_to_come_back(
    session: aiohttp.ClientSession, server: SocketServer
) -> None:
    server.refuses(429, Retry_After="7")

    with pytest.raises(InstanceBusy) as raised:
        await first_message(session, server)
    assert raised.value.retry_after_s == 7.0


async def test_nobody_who_listens_is_out_of_reach(
    session: aiohttp.ClientSession, server: SocketServer
) -> None:
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        server.port = taken.getsockname()[1]

    with pytest.raises(InstanceUnreachable):
        await first_message(session, server)


async def test_a_handshake_without_an_answer_is_out_of_reach(
    session: aiohttp.ClientSession, server: SocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "SOCKET_CONNECT_TIMEOUT_S", 0.05)
    with sockets.create_server(("127.0.0.1", 0)) as silent:
        server.port = silent.getsockname()[1]

        with pytest.raises(InstanceUnreachable, match="no WebSocket handshake"):
            await first_message(session, server)


async def test_a_broken_handshake_never_shows_what_is_signed_in_the_address(
    session: aiohttp.ClientSession, server: SocketServer
) -> None:
    async def answer_wrongly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = (
            "101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: upgrade",
            "Sec-WebSocket-Accept: no",
        )
        writer.write(("HTTP/1.1 " + "\r\n".join(head) + "\r\n\r\n").encode())
        await writer.drain()
        writer.close()

    wrong = await asyncio.start_server(answer_wrongly, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{wrong.sockets[0].getsockname()[1]}/?authorization=s3cret"
    async with wrong:
        with pytest.raises(InstanceFailed, match="101 Invalid challenge response") as raised:
            async with open_socket(session, server.instance(), url):
                pass
    assert "s3cret" not in str(raised.value)


async def test_a_server_that_falls_silent_is_out_of_reach(
    session: aiohttp.ClientSession, server: SocketServer
) -> None:
    server.talks(read_for_ever)

    with pytest.raises(InstanceUnreachable):
        await first_message(session, server, within_s=0.05)


async def test_a_close_is_a_broken_stream_and_shows_code_and_reason(
    session: aiohttp.ClientSession, server: SocketServer
) -> None:
    async def leave(socket: web.WebSocketResponse) -> None:
        await socket.close(code=1011, message=b"out of memory")

    server.talks(leave)

    with pytest.raises(InstanceFailed, match=r"code 1011 'out of memory'"):
        await first_message(session, server)


async def test_a_connection_that_is_lost_is_a_broken_stream(
    session: aiohttp.ClientSession, server: SocketServer
) -> None:
    async def drop(_: web.WebSocketResponse) -> None:
        transport = server.requests[-1].transport
        assert transport is not None
        transport.abort()

    server.talks(drop)

    with pytest.raises(InstanceFailed, match="code 1006"):
        await first_message(session, server)


async def test_a_message_that_is_too_long_is_not_taken(
    session: aiohttp.ClientSession, server: SocketServer
) -> None:
    server.sends(b"x" * (MAX_MESSAGE_BYTES + 1))

    with pytest.raises(InstanceFailed, match="broken WebSocket message"):
        await first_message(session, server)


@pytest.mark.parametrize("nonsense", ["<html>no</html>", "", "{", "[1]", '"text"', "[" * 200_000])
async def test_a_message_that_is_no_object_shows_its_first_bytes(
    session: aiohttp.ClientSession, server: SocketServer, nonsense: str
) -> None:
    server.sends(nonsense)

    with pytest.raises(InstanceFailed) as raised:
        await first_object(session, server)
    assert repr(nonsense.encode()[:5])[2:-2] in raised.value.reason
    assert len(raised.value.reason) < 300


async def test_half_a_character_is_the_servers_fault(
    session: aiohttp.ClientSession, server: SocketServer
) -> None:
    async def mislabel(socket: web.WebSocketResponse) -> None:
        await socket.send_frame("你好".encode()[:-1], aiohttp.WSMsgType.TEXT)

    server.talks(mislabel)

    with pytest.raises(InstanceFailed, match="not UTF-8: b'"):
        await first_message(session, server)


async def test_sending_to_a_server_that_left_is_its_fault(
    session: aiohttp.ClientSession, server: SocketServer
) -> None:
    server.sends()

    async def go_on(socket: Socket) -> None:
        with pytest.raises(InstanceFailed):
            await socket.receive(within_s=WAIT_TIMEOUT_S)
        await socket.send("still there?")

    async with open_socket(session, server.instance(), server.url) as socket:
        with pytest.raises(InstanceError) as raised:
            await go_on(socket)
        assert raised.value.origin == "theirs"


async def test_a_cancelled_call_closes_its_socket(
    session: aiohttp.ClientSession, server: SocketServer
) -> None:
    reading = asyncio.Event()

    async def listen(socket: web.WebSocketResponse) -> None:
        reading.set()
        await read_for_ever(socket)

    server.talks(listen)
    call = asyncio.create_task(first_message(session, server))
    async with asyncio.timeout(WAIT_TIMEOUT_S):
        await reading.wait()

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(WAIT_TIMEOUT_S):
        await server.gone.wait()

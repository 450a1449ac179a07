"""Writing to one device's socket: in order, at once, and never without bound."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from dispatcher.front.connection.device_writer import MAX_BACKLOG_BYTES, DeviceWriter, _finish_at_once
from dispatcher.front.connection.frames import VERSIONS, Version, unpack

# More than all buffers between two sockets of one host hold.
MANY_BYTES = 64 * 1024 * 1024
Socket = aiohttp.ClientWebSocketResponse


@asynccontextmanager
async def connected(
    write: Callable[[DeviceWriter], None], *, version: Version = 1
) -> AsyncGenerator[tuple[Socket, asyncio.Future[DeviceWriter]]]:
    """Connect a device; the front writes to it once, and shows its end when it has."""
    written: asyncio.Future[DeviceWriter] = asyncio.get_running_loop().create_future()

    async def accept(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        writer = DeviceWriter(socket, request.transport, version)
        writer.session_id = "a-session"
        write(writer)
        written.set_result(writer)
        await socket.receive()
        return socket

    app = web.Application()
    app.router.add_get("/", accept)
    async with TestClient(TestServer(app)) as client, client.ws_connect("/") as device:
        yield device, written


async def test_messages_and_frames_arrive_in_the_order_they_were_written() -> None:
    def write(writer: DeviceWriter) -> None:
        writer.send("tts", state="start")
        writer.send_packet(b"one", 0)
        writer.send("tts", state="sentence_start", text="你好！")
        writer.send_packet(b"two", 60)
        writer.send_text('{"type": "hello"}')

    async with connected(write) as (device, _):
        arrived = [await device.receive() for _ in range(5)]

    texts = [json.loads(each.data) for each in arrived if each.type is WSMsgType.TEXT]
    assert [each.data for each in arrived if each.type is WSMsgType.BINARY] == [b"one", b"two"]
    assert [each.type for each in arrived[:4]] == [WSMsgType.TEXT, WSMsgType.BINARY] * 2
    assert texts == [
        {"type": "tts", "session_id": "a-session", "state": "start"},
        {"type": "tts", "session_id": "a-session", "state": "sentence_start", "text": "你好！"},
        {"type": "hello"},
    ]


@pytest.mark.parametrize("version", VERSIONS)
async def test_audio_is_framed_as_the_device_asked(version: Version) -> None:
    async with connected(lambda writer: writer.send_packet(b"opus", 60), version=version) as (
        device,
        written,
    ):
        frame = await device.receive_bytes()

        assert unpack(version, frame) == (b"opus", False)
        assert (await written).audio_bytes == len(frame)


async def test_a_device_that_does_not_read_is_cut_off_before_its_backlog_grows() -> None:
    backlogs = []

    def write(writer: DeviceWriter) -> None:
        packet = bytes(8 * 1024)
        while writer.is_open:
            writer.send_packet(packet, 0)
            backlogs.append(writer._transport.get_write_buffer_size())
            assert writer.audio_bytes < MANY_BYTES

    async with connected(write) as (_, written):
        writer = await written

    assert not writer.is_open
    assert max(backlogs) <= MAX_BACKLOG_BYTES + 9 * 1024


async def test_writing_to_a_device_that_went_away_is_no_error() -> None:
    async with connected(lambda _: None) as (device, written):
        writer = await written
        assert writer.is_open
        await device.close()

    assert not writer.is_open
    writer.send("tts", state="stop")
    writer.send_packet(b"late", 0)


async def test_writing_after_the_socket_was_aborted_is_no_error() -> None:
    def write(writer: DeviceWriter) -> None:
        writer._transport.abort()
        assert not writer.is_open
        writer.send_packet(b"late", 0)

    async with connected(write) as (device, written):
        await written
        assert (await device.receive()).type in {WSMsgType.CLOSED, WSMsgType.ERROR, WSMsgType.CLOSE}


def test_a_write_that_would_wait_is_given_up() -> None:
    async def wait() -> None:
        await asyncio.sleep(0)

    writing = wait()
    _finish_at_once(writing)

    assert inspect.getcoroutinestate(writing) == inspect.CORO_CLOSED

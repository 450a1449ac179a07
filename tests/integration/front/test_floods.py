"""One host does not take the front from all others, and the log stays readable."""

from __future__ import annotations

import asyncio
import resource
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import aiohttp
import pytest

from tests.support.device import Device
from tests.support.instances import SENTENCES
from tests.support.stack import Front, Stack
from tests.support.waiting import soon

FLOODER, NEIGHBOUR = ({"X-Forwarded-For": address} for address in ("203.0.113.7", "203.0.113.8"))
MOST_DEVICES, MOST_SILENT = 5, 3


@pytest.fixture(scope="module")
def small(running_stack: Stack) -> Iterator[Front]:
    """A front with few seats, behind a proxy that is trusted."""
    environ = {
        "MAX_DEVICES": str(MOST_DEVICES),
        "MAX_SILENT_PER_ADDRESS": str(MOST_SILENT),
        "TRUSTED_PROXIES": "127.0.0.1",
        "FRONT_AUTH": "off",
    }
    front = Front("small-front", folder=running_stack.folder, environ={**running_stack.environ, **environ})
    front.start()
    try:
        front.wait_until_ready()
        yield front
    finally:
        front.stop()


@asynccontextmanager
async def silent_sockets(front: Front, count: int, **headers: str) -> AsyncIterator[list[int]]:
    """Open sockets at once, on which nothing is said; yield the statuses of their answers."""
    async with AsyncExitStack() as opened:
        session = await opened.enter_async_context(aiohttp.ClientSession())

        async def come(number: int) -> int:
            wanted = {"Device-Id": f"silent-{number}", "Client-Id": "a-client", **headers}
            try:
                socket = await session.ws_connect(front.socket_url, headers=wanted)
            except aiohttp.WSServerHandshakeError as error:
                return error.status
            opened.push_async_callback(socket.close)
            return 101

        yield list(await asyncio.gather(*map(come, range(count))))


@contextmanager
def idle_connections(front: Front, count: int) -> Iterator[list[socket.socket]]:
    """Connect and send nothing."""
    host, port = front.url.removeprefix("http://").split(":")
    opened = [socket.create_connection((host, int(port)), timeout=10) for _ in range(count)]
    try:
        yield opened
    finally:
        for each in opened:
            each.close()


async def test_however_many_come_at_once_no_more_than_the_limit_get_in(small: Front) -> None:
    async with silent_sockets(small, 40) as statuses:
        assert sorted(statuses) == [101] * MOST_DEVICES + [503] * (40 - MOST_DEVICES)


async def test_sockets_without_a_hello_keep_nobody_out(small: Front) -> None:
    since_byte = small.printed_bytes()
    async with silent_sockets(small, MOST_DEVICES):

        async def is_let_in() -> bool:
            try:
                async with small.device("good") as device:
                    return (await device.says()).sentences == SENTENCES
            except aiohttp.WSServerHandshakeError:
                return False

        await soon(is_let_in, what="a device gets a seat of a silent socket", within_s=10)
    assert "Traceback" not in small.output(since_byte)


async def test_who_says_nothing_for_five_seconds_is_closed_with_or_without_a_socket(small: Front) -> None:
    with idle_connections(small, 1) as (idle,):
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        async with Device.connected(small.socket_url) as device:
            began_s = asyncio.get_running_loop().time()
            assert await device.is_closed() == 1008
            assert 4 < asyncio.get_running_loop().time() - began_s < 10
        assert await asyncio.to_thread(idle.recv, 1) == b""


async def test_one_address_cannot_hold_more_than_its_sockets_and_another_one_is_let_in(small: Front) -> None:
    async with silent_sockets(small, 10, **FLOODER) as statuses:
        assert sorted(statuses) == [101] * MOST_SILENT + [429] * (10 - MOST_SILENT)
        async with small.device("neighbour", **NEIGHBOUR) as device:
            assert (await device.says()).sentences == SENTENCES


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are set on Linux only")
async def test_idle_connections_that_take_every_descriptor_do_not_make_the_front_deaf(stack: Stack) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2048)), hard))
    async with stack.another_front() as front:
        since_byte = front.printed_bytes()
        resource.prlimit(front.pid, resource.RLIMIT_NOFILE, (200, 200))
        with idle_connections(front, 400):
            async with front.device("heard") as device:
                assert (await device.says()).sentences == SENTENCES
            await soon(lambda: has_said(front, "no connection accepted", since_byte), what="it is logged")
        assert front.output(since_byte).count("no connection accepted") == 1
        assert "Traceback" not in front.output(since_byte)


async def test_bytes_that_are_no_http_are_one_line_of_the_log_and_no_traceback(small: Front) -> None:
    since_byte = small.printed_bytes()
    for sent in (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"GET\r\n\r\n") * 10:
        with idle_connections(small, 1) as (connection,):
            connection.sendall(sent)
            await asyncio.to_thread(connection.recv, 4096)
    await soon(lambda: has_said(small, "no HTTP", since_byte), what="it is logged")
    assert small.output(since_byte).count("no HTTP") == 1
    assert "Traceback" not in small.output(since_byte)


async def test_a_house_with_ipv6_reaches_the_front(small: Front) -> None:
    port = small.url.rpartition(":")[2]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://[::1]:{port}/xiaozhi/ota/") as answer,
    ):
        assert f"ws://[::1]:{port}/xiaozhi/v1/" in await answer.text()
    async with Device.connected(f"ws://[::1]:{port}/xiaozhi/v1/") as device:
        await device.hello()
        assert (await device.says()).sentences == SENTENCES


async def has_said(front: Front, text: str, since_byte: int) -> bool:
    """Return whether the front's log has a text."""
    return text in front.output(since_byte)

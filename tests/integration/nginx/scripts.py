"""Scripts of the servers behind an nginx: they fail, hang or stream as a test wants it."""

from __future__ import annotations

import threading

import aiohttp

from tests.support.scripted_server import Exchange, Script
from tests.support.waiting import WAIT_TIMEOUT_S


def fails_with(status: int) -> Script:
    """Answer with a status."""
    return lambda exchange: exchange.answer(status)


def dies(exchange: Exchange) -> None:
    """Close the connection without an answer."""
    exchange.body()
    exchange.hang_up()


class NeverAnswers:
    """Holds each request until the test has seen what nginx does."""

    def __init__(self) -> None:
        self.is_over = threading.Event()

    def __call__(self, _: Exchange) -> None:
        self.is_over.wait(5)


class TwoParts:
    """Streams a second part only once the first was received."""

    def __init__(self) -> None:
        self._is_received = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        exchange.body()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        assert self._is_received.wait(WAIT_TIMEOUT_S)
        exchange.send(b"6\r\nsecond\r\n0\r\n\r\n")

    async def is_passed_on(self, http: aiohttp.ClientSession, url: str) -> None:
        """Prove that the first part comes before the second exists."""
        async with http.post(url, data=b"{}") as response:
            assert await response.content.readexactly(5) == b"first"
            self._is_received.set()
            assert await response.read() == b"second"

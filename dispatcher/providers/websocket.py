"""WebSocket for every dialect: handshakes, bounded messages, deadlines, errors by whose fault they are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp import WSMsgType
from yarl import URL

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceError, InstanceFailed, InstanceUnreachable
from dispatcher.providers.http import (
    SHOWN_BYTES,
    as_object,
    bearer_headers,
    raise_for_status,
    timeout_of,
    wire_errors,
)
from dispatcher.providers.protocols import LoadReport

SOCKET_CONNECT_TIMEOUT_S: Final = 5.0
SEND_TIMEOUT_S: Final = 5.0
# A peer that does not answer our Close is left after this long; a barge-in waits for it.
CLOSE_TIMEOUT_S: Final = 0.2
MAX_MESSAGE_BYTES: Final = 1_000_000
_SWITCHED: Final = 101


class Socket:
    """An open WebSocket to an instance; one coroutine may send while another receives.

    Attributes:
        instance: the other end; the errors name it.
    """

    def __init__(self, instance: Instance, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        """Use an open socket; `open_socket` makes one and closes it."""
        self.instance = instance
        self._socket = socket

    async def send(self, message: str | bytes) -> None:
        """Send a text or a binary message.

        Raises:
            InstanceUnreachable: the instance has closed the socket, or does not read.
        """
        async with wire_errors(self.instance), asyncio.timeout(SEND_TIMEOUT_S):
            if isinstance(message, str):
                await self._socket.send_str(message)
            else:
                await self._socket.send_bytes(message)

    async def send_object(self, message: Mapping[str, Any]) -> None:
        """Send a JSON object as a text message; errors as in `send`."""
        await self.send(json.dumps(message, ensure_ascii=False, separators=(",", ":")))

    async def receive(self, *, within_s: float) -> str | bytes:
        """Return the next message: a text as str, a binary one as bytes.

        Raises:
            InstanceUnreachable: none came in time.
            InstanceFailed: the socket was closed, or the message is too long or no UTF-8.
        """
        async with wire_errors(self.instance):
            message = await self._socket.receive(within_s)
        if message.type is WSMsgType.BINARY:
            return bytes(message.data)
        if message.type is WSMsgType.TEXT:
            return self._as_text(bytes(message.data))
        raise self._end(message.type, message.data, message.extra)

    async def receive_object(self, *, within_s: float) -> dict[str, Any]:
        """Return the next message as a JSON object, whichever way it was sent; errors as in `receive`.

        Raises:
            InstanceFailed: it is no JSON object; the reason shows its first bytes.
        """
        message = await self.receive(within_s=within_s)
        return as_object(self.instance, message.encode() if isinstance(message, str) else message)

    def _as_text(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            shown = f"text is not UTF-8: {raw[:SHOWN_BYTES]!r}"
            raise InstanceFailed(self.instance.name, shown) from error

    def _end(self, kind: WSMsgType, data: object, extra: object) -> InstanceError:
        """Return the error that the end of the socket is."""
        if kind is WSMsgType.ERROR:
            return InstanceFailed(self.instance.name, f"broken WebSocket message: {data}")
        # A connection that is lost without a Close has no reason.
        said = f" {extra!r:.{SHOWN_BYTES}}" if extra else ""
        return InstanceFailed(self.instance.name, f"closed the socket, code {self._socket.close_code}{said}")


class SocketProvider:
    """Calls instances over a WebSocket; a handshake is the health check, and nothing is charged for it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Use the session of the running loop; the caller closes it."""
        self.session = session

    def open(self, instance: Instance) -> AbstractAsyncContextManager[Socket]:
        """Connect to an instance, with its key as a bearer token; a dialect may have another handshake."""
        url = URL(instance.endpoint)
        address = str(url.with_scheme("wss" if url.scheme in ("wss", "https") else "ws"))
        return open_socket(self.session, instance, address, headers=bearer_headers(instance))

    async def check(self, instance: Instance) -> LoadReport:
        """Return nothing, once the instance has accepted the handshake and its key."""
        async with self.open(instance):
            return LoadReport()


@asynccontextmanager
async def open_socket(
    session: aiohttp.ClientSession, instance: Instance, url: str, *, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Socket]:
    """Connect to a URL of an instance; the socket is closed when the block ends, however it ends.

    Args:
        session: whose connector is used; the caller closes it.
        instance: named in errors.
        url: ws:// or wss://, with all that the dialect wants in it.
        headers: what the dialect wants beside those of the handshake.

    Raises:
        InstanceUnreachable: nobody listens, or the handshake takes too long.
        InstanceBusy: 429 or 503, with Retry-After where it was given.
        InstanceForbidden: 401, 402, 403 or 404: the key, the signature or the path is wrong.
        InstanceRefused: another 4xx.
        InstanceFailed: 5xx, or an answer that is no WebSocket handshake.
    """
    async with (
        wire_errors(instance),
        _refusing_session(session, instance) as own,
        await _connect(own, instance, url, headers or {}) as socket,
    ):
        yield Socket(instance, socket)


def _refusing_session(session: aiohttp.ClientSession, instance: Instance) -> aiohttp.ClientSession:
    """Return a session by which the text of a refusal can be read; it shares the connections of another."""
    return aiohttp.ClientSession(
        connector=session.connector,
        connector_owner=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeout_of(session, instance),
        trace_configs=session.trace_configs,
        raise_for_status=partial(_refuse, instance),
    )


async def _connect(
    session: aiohttp.ClientSession, instance: Instance, url: str, headers: Mapping[str, str]
) -> aiohttp.ClientWebSocketResponse[bool]:
    try:
        async with asyncio.timeout(SOCKET_CONNECT_TIMEOUT_S):
            return await session.ws_connect(
                url,
                headers=headers,
                max_msg_size=MAX_MESSAGE_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
                decode_text=False,
            )
    except TimeoutError as error:
        reason = f"no WebSocket handshake within {SOCKET_CONNECT_TIMEOUT_S:g} s"
        raise InstanceUnreachable(instance.name, reason) from error


async def _refuse(instance: Instance, response: aiohttp.ClientResponse) -> None:
    """Raise the InstanceError that any status but that of a handshake means."""
    if response.status == _SWITCHED:
        return
    try:
        await raise_for_status(instance, response)
        shown = (await response.content.read(SHOWN_BYTES))[:SHOWN_BYTES]
    finally:
        response.close()
    raise InstanceFailed(instance.name, f"HTTP {response.status} {shown!r}, expected a WebSocket handshake")

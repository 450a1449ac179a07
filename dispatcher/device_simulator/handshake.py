"""Opening and dropping the WebSocket as the firmware does."""

from __future__ import annotations

import asyncio
import os
import socket as sockets
from contextlib import suppress
from typing import Final

import aiohttp
from yarl import URL

from dispatcher.device_simulator import messages
from dispatcher.device_simulator.framing import Version
from dispatcher.device_simulator.options import Address, DeviceOptions
from dispatcher.errors import FrontError

FRONT_CONNECT_TIMEOUT_S: Final = 10.0
HELLO_TIMEOUT_S: Final = 10.0
_NO_TOKEN: Final = 401
_NOT_LET_IN: Final = 403


async def open_socket(
    session: aiohttp.ClientSession, address: Address, options: DeviceOptions, version: Version
) -> aiohttp.ClientWebSocketResponse:
    """Return the upgraded socket: no compression, no subprotocol, no Origin, no pings of its own.

    Raises:
        FrontError: nobody there, or the upgrade was refused.
    """
    try:
        async with asyncio.timeout(FRONT_CONNECT_TIMEOUT_S):
            return await session.ws_connect(
                address.url, headers=_headers(address, options, version), compress=0
            )
    except aiohttp.WSServerHandshakeError as error:
        raise FrontError(_refusal(address, error.status)) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise FrontError(f"cannot reach {address.url}: {error}; does `dispatcher up` run?") from error
    except TimeoutError as error:
        raise FrontError(
            f"{address.url} took no connection within {FRONT_CONNECT_TIMEOUT_S:.0f} s"
        ) from error


async def wait_for_hello(socket: aiohttp.ClientWebSocketResponse, hello: str) -> messages.ServerHello:
    """Send the device's hello and return the server's, which has to be the first message.

    Raises:
        FrontError: none came in time, or the front closed.
        ProtocolError: it lacks what a stock device needs.
    """
    await socket.send_str(hello)
    try:
        answer = await socket.receive(HELLO_TIMEOUT_S)
    except TimeoutError as error:
        raise FrontError(f"the front said no hello within {HELLO_TIMEOUT_S:.0f} s") from error
    if answer.type is not aiohttp.WSMsgType.TEXT:
        raise FrontError(f"the front said no hello; it closed with code {socket.close_code}")
    return messages.read_hello(answer.data)


async def drop(socket: aiohttp.ClientWebSocketResponse) -> None:
    """End the connection without a Close frame (code 1006): the firmware never sends one."""
    line = socket.get_extra_info("socket")
    if line is not None and line.fileno() >= 0:
        with sockets.socket(fileno=os.dup(line.fileno())) as same, suppress(OSError):
            same.shutdown(sockets.SHUT_RDWR)
    await socket.close()


def _headers(address: Address, options: DeviceOptions, version: Version) -> dict[str, str]:
    headers = {
        # The firmware leaves the port out.
        "Host": URL(address.url).host or "",
        "Protocol-Version": str(version),
        "Device-Id": options.device_id,
        "Client-Id": options.sent_client_id,
    }
    if address.token:
        headers["Authorization"] = address.token if " " in address.token else f"Bearer {address.token}"
    return headers


def _refusal(address: Address, status: int) -> str:
    if status == _NO_TOKEN:
        return (
            f"{address.url} refused the device ({status}): its token is missing, wrong or too old; "
            "OTA gives a new one (--ota)"
        )
    if status == _NOT_LET_IN:
        return (
            f"{address.url} refused the device ({status}): it is blocked, or not activated yet; "
            "`dispatcher devices list` tells"
        )
    return f"{address.url} refused the upgrade with {status}; is it the address of a front?"

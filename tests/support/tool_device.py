"""A device with tools in the hand of a test: its MCP server is the software device's, or lies."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from dispatcher.device_simulator.tools import Board, DeviceMcpServer, DeviceTool
from tests.support.device import Device
from tests.support.stack import Stack
from tests.support.waiting import soon

Answer = Callable[[Any], Any]


class ToolDevice(Device):
    """One connection of a device that tells that it has tools.

    Attributes:
        board: what its tools turn.
        asked: payloads that the front sent, oldest first.
        mcp: returns what to send back to a payload, None for nothing.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, device_id: str) -> None:
        """Answer as the software device does."""
        super().__init__(socket, device_id)
        self.board = Board()
        self.asked: list[Mapping[str, Any]] = []
        self.mcp: Answer = DeviceMcpServer(self.board.tools()).answer

    async def greets(self) -> None:
        """Say hello as a stock device, and wait until the front has asked for all that it asks."""
        await self.send({"type": "hello", "features": {"mcp": True}, "transport": "websocket"})
        await self.hears(type="hello")

    def called(self, method: str = "tools/call") -> list[Any]:
        """Return the parameters of all requests of a method."""
        return [payload["params"] for payload in self.asked if payload.get("method") == method]

    async def _listen(self) -> None:
        async for frame in self.socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                self._keep(frame)
                continue
            message = frame.json()
            if message["type"] != "mcp":
                self._keep(frame)
                continue
            self.asked.append(message["payload"])
            answer = self.mcp(message["payload"])
            if answer is not None:
                await self.send({"type": "mcp", "payload": answer})


@asynccontextmanager
async def device_of(
    stack: Stack, name: str, *, tools: list[DeviceTool] | None = None, page_characters: int = 8_000
) -> AsyncGenerator[ToolDevice]:
    """Connect a device that says hello and has told all of its tools."""
    async with ToolDevice.connected(stack.front.socket_url, device_id=name) as device:
        offered = device.board.tools() if tools is None else tools
        device.mcp = DeviceMcpServer(offered, page_characters=page_characters).answer
        await device.greets()
        await tools_known(stack, name)
        yield device


async def tools_known(stack: Stack, name: str) -> dict[str, Any]:
    """Wait until the front knows what a device can do, and return what it says of that."""

    async def find() -> dict[str, Any] | None:
        known = stack.front.events("device tools known")
        return next((each for each in known if each["device"] == name), None)

    found = await soon(find, what=f"the front knows the tools of {name}")
    assert found is not None
    return found

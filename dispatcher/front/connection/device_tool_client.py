"""Client of one connected device's MCP server: its tools listed once, and called when a turn wants it.

Nothing here makes the device or a turn wait: the list is read beside the conversation, and a device
that answers late, wrongly or never is a device without tools.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from dispatcher.errors import ToolError
from dispatcher.front.connection import jsonrpc
from dispatcher.messages import TOOL_TIMEOUT_S
from dispatcher.redis_client.client import RedisClient
from dispatcher.tools import device_calls
from dispatcher.tools.model import ListedTool, ToolResult
from dispatcher.tools.tool_schema import read_tool

log = structlog.get_logger(__name__)

MAX_TOOLS: Final = 64
MAX_PAGES: Final = 64
MAX_LIST_BYTES: Final = 64 * 1024
LIST_TIMEOUT_S: Final = 20.0
ANSWER_TIMEOUT_S: Final = 5.0
# The first turn of a connection may begin before the list is there: it waits so long after the hello.
FIRST_TURN_GRACE_S: Final = 0.5
# A turn refreshes the list's time to live this often; Redis may also have lost it.
LIST_REFRESH_INTERVAL_S: Final = 60.0
# xiaozhi-sdk reads `capabilities.vision.url` and has no tools without it; stock firmware takes no empty URL.
_CAPABILITIES: Final = {"vision": {"url": "", "token": ""}}
_CLIENT: Final = {"name": "xiaozhi-dispatcher", "version": "1"}


class _NoAnswer(ToolError):
    """The device sent no answer, so that it is unknown what it did."""


class DeviceToolClient:
    """Client of one device's MCP server."""

    def __init__(
        self, redis: RedisClient, send: Callable[[Mapping[str, Any]], None], *, device_id: str
    ) -> None:
        """Ask nothing yet.

        Args:
            redis: where the list is kept for workers.
            send: sends the payload of an `mcp` message to the device.
            device_id: for the log.
        """
        self._redis = redis
        self._send = send
        self._log = structlog.get_logger(__name__).bind(device=device_id)
        self._waiting: dict[int, asyncio.Future[jsonrpc.Answer]] = {}
        self._last_id = 0
        self._listed: device_calls.ToolList | None = None
        self._kept_at = 0.0
        self._listing: asyncio.Task[None] | None = None
        self._grace_until = 0.0

    def start(self) -> None:
        """Begin to list the tools; called once, at the device's hello."""
        self._grace_until = time.monotonic() + FIRST_TURN_GRACE_S
        self._listing = asyncio.get_running_loop().create_task(self._read_list())

    def on_payload(self, payload: object) -> None:
        """Take in what the device sent; an answer that is not waited for is dropped."""
        answer = jsonrpc.read_answer(payload)
        waiting = self._waiting.get(answer.id) if answer else None
        if answer is not None and waiting is not None and not waiting.done():
            waiting.set_result(answer)

    async def list_name(self) -> str:
        """Return what names the list of tools where workers find it; empty for a device without tools."""
        if self._listing is not None and not self._listing.done():
            left_s = self._grace_until - time.monotonic()
            if left_s > 0:
                await asyncio.wait([self._listing], timeout=left_s)
        if self._listed is None:
            return ""
        if time.monotonic() - self._kept_at > LIST_REFRESH_INTERVAL_S:
            self._keep(self._listed)
        return self._listed.digest

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Call a tool; whatever goes wrong stands in the result, in words for the LLM."""
        try:
            answer = await self._ask(
                "tools/call", {"name": tool, "arguments": arguments}, timeout_s=TOOL_TIMEOUT_S
            )
        except _NoAnswer as error:
            return ToolResult(text=f"{error}, so it is not known whether it was done", failed=True)
        except ToolError as error:
            return ToolResult(text=str(error), failed=True)
        return jsonrpc.tool_result(answer)

    def close(self) -> None:
        """Wait for nothing more: the device has disconnected."""
        if self._listing is not None:
            self._listing.cancel()
        for waiting in self._waiting.values():
            waiting.cancel()

    async def _read_list(self) -> None:
        """Read the list; what was read before something went wrong is kept."""
        tools: dict[str, ListedTool] = {}
        params = {
            "protocolVersion": jsonrpc.PROTOCOL_VERSION,
            "capabilities": _CAPABILITIES,
            "clientInfo": _CLIENT,
        }
        try:
            async with asyncio.timeout(LIST_TIMEOUT_S):
                await self._ask("initialize", params)
                self._send(jsonrpc.notification("notifications/initialized"))
                await self._read_pages(tools)
        except (ToolError, TimeoutError) as error:
            self._log.info("device tools not all known", reason=str(error) or "the list takes too long")
        if tools:
            self._keep(device_calls.pack(list(tools.values())))
        self._log.info("device tools known", tools=len(tools))

    async def _read_pages(self, tools: dict[str, ListedTool]) -> None:
        """Add the tools of all pages; those that are wrong are left out, with a log line each.

        Raises:
            ToolError: a page did not come, or is none.
        """
        cursors = {""}
        cursor, size_bytes = "", 0
        for _ in range(MAX_PAGES):
            page = await self._ask("tools/list", {"cursor": cursor})
            size_bytes += len(str(page))
            if not isinstance(page, Mapping) or size_bytes > MAX_LIST_BYTES:
                raise ToolError(f"a page is no object, or all are over {MAX_LIST_BYTES} bytes")
            self._accept(page.get("tools"), tools)
            following = page.get("nextCursor")
            if not isinstance(following, str) or following in cursors or len(tools) >= MAX_TOOLS:
                return
            cursor = following
            cursors.add(cursor)

    def _accept(self, listed: object, tools: dict[str, ListedTool]) -> None:
        """Add the tools of a page that are valid."""
        for raw in listed if isinstance(listed, list) else []:
            try:
                tool = read_tool(raw)
            except ToolError as error:
                self._log.info("device tool refused", reason=str(error))
                continue
            if len(tools) >= MAX_TOOLS:
                self._log.info("device has too many tools", limit=MAX_TOOLS)
                return
            tools.setdefault(tool.name, tool)

    def _keep(self, listed: device_calls.ToolList) -> None:
        self._listed = listed
        self._kept_at = time.monotonic()
        device_calls.keep(self._redis, listed)

    async def _ask(
        self, method: str, params: Mapping[str, Any], *, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> Any:
        """Return the result of a request.

        Raises:
            ToolError: no answer in time, the device is gone, or it answered an error.
        """
        self._last_id += 1
        number = self._last_id
        waiting: asyncio.Future[jsonrpc.Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        self._send(jsonrpc.request(number, method, params))
        try:
            done, _ = await asyncio.wait([waiting], timeout=timeout_s)
        finally:
            del self._waiting[number]
        if not done:
            raise _NoAnswer(f"the device did not answer {method} within {timeout_s:g} s")
        if waiting.cancelled():
            raise _NoAnswer(f"the device left before it answered {method}")
        answer = waiting.result()
        if answer.error:
            raise ToolError(f"the device answered {method} with an error: {answer.error}")
        return answer.result


async def answer_call(redis: RedisClient, tools: DeviceToolClient | None, request: str) -> bool | None:
    """Call a tool of the device that holds the turn for a worker, and send the worker the result.

    Returns:
        whether the device did it; None for a call without arguments, which may be a question only.
    """
    try:
        call = device_calls.read_call(request)
    except (ValueError, TypeError) as error:
        log.warning("call of a tool not readable", reason=str(error))
        return None
    result = ToolResult(text="this device has no tools", failed=True)
    if tools is not None:
        result = await tools.call(call.tool, call.arguments)
    device_calls.answer(redis, call.call_id, result)
    # Stock firmware says `false` where it could not.
    return not result.failed and result.text != "false" if call.arguments else None

"""One connection to an MCP server, by the official library; imported only where a server is configured."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final

import structlog
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp_types import CONNECTION_CLOSED, CallToolResult, TextContent

from dispatcher.catalogue.mcp_server import McpServer
from dispatcher.errors import ToolError
from dispatcher.tools.model import ListedTool, ToolResult
from dispatcher.tools.tool_schema import read_tool

log = structlog.get_logger(__name__)

MCP_CONNECT_TIMEOUT_S: Final = 20.0
LIST_TIMEOUT_S: Final = 10.0
# So often the list is asked for again; it also shows that the server is still there.
LIST_INTERVAL_S: Final = 60.0
MAX_TOOLS: Final = 64
MAX_PAGES: Final = 32
MAX_RESULT_CHARACTERS: Final = 4_000
MAX_REASON_CHARACTERS: Final = 200


@asynccontextmanager
async def connected(server: McpServer) -> AsyncGenerator[McpSession]:
    """Connect, learn the tools, and lend the session until the block ends.

    Raises:
        ToolError: the server cannot be started or reached, or the connection broke.
    """
    try:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(MCP_CONNECT_TIMEOUT_S):
                client = await stack.enter_async_context(Client(await _transport(server, stack)))
                session = McpSession(server, client)
                await session.learn()
            yield session
    except Exception as error:
        # The library's transports group what they raise, and each has errors of its own.
        raise ToolError(_words(error)) from error


async def _transport(server: McpServer, stack: AsyncExitStack) -> Any:
    if server.command is not None:
        command = StdioServerParameters(
            command=server.command, args=list(server.args), env=server.environment()
        )
        # What it writes to its standard error is for the operator; Celery may have replaced `sys.stderr`.
        return stdio_client(command, errlog=sys.__stderr__ or sys.stderr)
    token = server.token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    http = await stack.enter_async_context(create_mcp_http_client(headers=headers))
    return streamable_http_client(server.url or "", http_client=http)


class McpSession:
    """An open connection.

    Attributes:
        tools: those that the server offers, the configuration allows and whose schemas are valid.
    """

    def __init__(self, server: McpServer, client: Client) -> None:
        """Use a client whose handshake is done."""
        self.tools: tuple[ListedTool, ...] = ()
        self._server = server
        self._client = client
        self._broken = asyncio.Event()
        self._complaints: set[str] = set()

    async def learn(self) -> None:
        """Ask for the list of tools, all pages of it.

        Raises:
            TimeoutError: it takes too long.
            Exception: whatever the library raises when the connection is gone.
        """
        tools: dict[str, ListedTool] = {}
        cursor: str | None = None
        async with asyncio.timeout(LIST_TIMEOUT_S):
            for _ in range(MAX_PAGES):
                page = await self._client.list_tools(cursor=cursor, cache_mode="refresh")
                for tool in page.tools:
                    raw = {
                        "name": tool.name,
                        "description": tool.description,
                        "inputSchema": tool.input_schema,
                    }
                    self._accept(raw, tools)
                cursor = page.next_cursor
                if not cursor or len(tools) >= MAX_TOOLS:
                    break
        self._complain_of_absent(tools)
        self.tools = tuple(tools.values())[:MAX_TOOLS]

    async def watch(self) -> None:
        """Return never while the connection holds; refresh the list every minute.

        Raises:
            ToolError: it broke.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LIST_INTERVAL_S):
                    await self._broken.wait()
                raise ToolError("the connection broke")
            await self.learn()

    async def call(self, tool: str, arguments: Mapping[str, Any], *, timeout_s: float) -> ToolResult:
        """Call a tool; whatever goes wrong is said in the result, in words for the LLM."""
        try:
            async with asyncio.timeout(timeout_s):
                result = await self._client.call_tool(tool, dict(arguments))
        except TimeoutError:
            text = f"no answer within {timeout_s:.0f} s, so it is not known whether it was done"
            return ToolResult(text=text, failed=True)
        except Exception as error:  # noqa: BLE001  the library lets through what its transports raise
            if not isinstance(error, MCPError) or error.code == CONNECTION_CLOSED:
                self._broken.set()
            return ToolResult(text=_words(error), failed=True)
        return ToolResult(text=_cut(_text(result)), failed=bool(result.is_error))

    def _accept(self, raw: Mapping[str, Any], tools: dict[str, ListedTool]) -> None:
        allow = self._server.allow
        if allow is not None and raw["name"] not in allow:
            return
        try:
            tool = read_tool(raw)
        except ToolError as error:
            self._complain("server tool refused", reason=str(error))
            return
        tools.setdefault(tool.name, tool)

    def _complain_of_absent(self, tools: Mapping[str, ListedTool]) -> None:
        absent = [name for name in self._server.allow or () if name not in tools]
        if absent:
            self._complain("server has no such tools", tools=", ".join(absent))

    def _complain(self, event: str, **fields: str) -> None:
        """Log what is wrong with a server once, not every minute."""
        complaint = f"{event} {fields}"
        if complaint not in self._complaints and len(self._complaints) < MAX_TOOLS:
            self._complaints.add(complaint)
            log.warning(event, server=self._server.name, **fields)


def _text(result: CallToolResult) -> str:
    parts = [part.text if isinstance(part, TextContent) else f"[{part.type}]" for part in result.content]
    if not parts and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(parts)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_RESULT_CHARACTERS else text[:MAX_RESULT_CHARACTERS] + "…"


def _words(error: BaseException) -> str:
    """Return what went wrong at the bottom of a group of errors, in one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    words = " ".join(str(error).split())[:MAX_REASON_CHARACTERS]
    if isinstance(error, ToolError | MCPError) and words:
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__

"""Servers with tools for the LLM: each kept connected by a task of its own, connected anew when it breaks.

The `mcp` library is imported with the first server: it costs a second of CPU, which a worker without any
does not pay.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from dispatcher.backoff import BackOff
from dispatcher.catalogue import load_catalogue
from dispatcher.catalogue.mcp_server import McpServer
from dispatcher.catalogue.model import Catalogue
from dispatcher.errors import ConfigError, ToolError
from dispatcher.tools.model import ListedTool, ToolResult

log = structlog.get_logger(__name__)

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
CLOSE_TIMEOUT_S: Final = 8.0
_LIBRARY: Final = "dispatcher.tools.mcp_session"


class ToolSession(Protocol):
    """An open connection to one server.

    Attributes:
        tools: what it offers, as it said last.
    """

    tools: tuple[ListedTool, ...]

    async def call(self, tool: str, arguments: Mapping[str, Any], *, timeout_s: float) -> ToolResult:
        """Call a tool; whatever goes wrong is said in the result."""
        ...


class ToolServers:
    """The servers of one worker process; everything in it belongs to its loop."""

    def __init__(self) -> None:
        """Connect to nothing yet."""
        self._followed: tuple[McpServer, ...] = ()
        self._sessions: dict[str, ToolSession] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def listed(self) -> list[tuple[str, ListedTool]]:
        """Return (server, tool) for everything that can be called now, in the file's order."""
        return [
            (server.name, tool)
            for server in self._followed
            if server.name in self._sessions
            for tool in self._sessions[server.name].tools
        ]

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Any], *, timeout_s: float
    ) -> ToolResult:
        """Call a tool of a server and return what became of it, in words for the LLM."""
        session = self._sessions.get(server)
        if session is None:
            return ToolResult(
                text=f"the tool server {server} is not connected, nothing was done", failed=True
            )
        return await session.call(tool, arguments, timeout_s=timeout_s)

    def follow(self, servers: Sequence[McpServer]) -> None:
        """Keep connections to these servers and to no others; those that are there already stay."""
        before = {server.name: server for server in self._followed}
        self._followed = tuple(servers)
        for server in servers:
            if before.pop(server.name, None) != server:
                self._stop(server.name)
                task = asyncio.get_running_loop().create_task(self._keep(server))
                self._tasks[server.name] = task
        for name in before:
            self._stop(name)

    async def follow_file(self, catalogue: Catalogue, path: str) -> None:
        """Follow the servers of a catalogue put in force, where this machine's own file names them too.

        What is published travels through Redis, and a server is a command: whoever can write to Redis must
        not be able to start one here.
        """
        if catalogue.mcp_servers == self._followed:
            return
        try:
            own = (await asyncio.to_thread(load_catalogue, Path(path), log_warnings=False)).mcp_servers
        except ConfigError as error:
            log.warning("tool servers kept as they are, the file here cannot be read", reason=str(error))
            return
        if own == catalogue.mcp_servers:
            self.follow(own)
        else:
            log.warning("tool servers kept as they are, the file here names others", file=path)

    async def close(self) -> None:
        """End all connections, and the commands behind them."""
        self._followed = ()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT_S)

    def _stop(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()

    async def _keep(self, server: McpServer) -> None:
        """Stay connected for ever, with a growing pause between attempts that fail."""
        pauses = BackOff(first_s=FIRST_WAIT_S, longest_s=LONGEST_WAIT_S, growth=2, jitter=0)
        while True:
            try:
                library = await asyncio.to_thread(importlib.import_module, _LIBRARY)
            except ImportError as error:
                log.warning("tool servers need the extra [tools]", server=server.name, reason=str(error))
                return
            try:
                async with library.connected(server) as session:
                    pauses.reset()
                    self._sessions[server.name] = session
                    log.info("tool server connected", server=server.name, tools=len(session.tools))
                    await session.watch()
            except ToolError as error:
                log.warning("tool server lost", server=server.name, reason=str(error), tries=pauses.tries)
            finally:
                self._sessions.pop(server.name, None)
            await asyncio.sleep(pauses.next_s())

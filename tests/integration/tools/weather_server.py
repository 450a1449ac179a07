"""A tool server of somebody else, by the official library: over standard input, or HTTP on a port."""

from __future__ import annotations

import asyncio
import os
import sys

from mcp.server.mcpserver import MCPServer

server = MCPServer("weather")


@server.tool()
def forecast(city: str, days: int = 1) -> str:
    """Tell the weather of a city."""
    return f"{city}: rain for {days} days, by {os.environ.get('WEATHER_SOURCE', 'nobody')}"


@server.tool()
async def think_for_ever() -> str:
    """Never come to an end."""
    await asyncio.Event().wait()
    return ""


@server.tool()
def novel() -> str:
    """Tell more than anybody wants to hear."""
    return "word " * 100_000


@server.tool()
def break_down() -> str:
    """Fail."""
    raise ValueError("the barometer is broken")


@server.tool()
def die() -> str:
    """End the whole server."""
    os._exit(1)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")

"""`/healthz` and `/readyz`: is the process alive, and can it take a turn."""

from __future__ import annotations

import asyncio

from aiohttp import web

from dispatcher import __version__
from dispatcher.errors import StateError
from dispatcher.front.hub import HUB


def add_probes(app: web.Application) -> None:
    """Register both probes."""
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)


async def healthz(_: web.Request) -> web.Response:
    """Answer 200 while the loop runs."""
    return web.json_response({"status": "ok", "version": __version__})


async def readyz(request: web.Request) -> web.Response:
    """Answer 200 when the broker answers and replies flow; 503 with the reason otherwise."""
    hub = request.app[HUB]
    checks = {"broker": await _broker(request), "replies": "ok" if hub.replies_flow else "no stream yet"}
    if hub.draining:
        checks["front"] = "draining"
    ready = all(state == "ok" for state in checks.values())
    body = {"status": "ready" if ready else "not ready", "devices": len(hub.devices), "checks": checks}
    return web.json_response(body, status=200 if ready else 503)


async def _broker(request: web.Request) -> str:
    try:
        async with asyncio.timeout(1):
            await request.app[HUB].line.call("PING")
    except (StateError, TimeoutError) as error:
        return str(error) or "no answer in 1 s"
    return "ok"

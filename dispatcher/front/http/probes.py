"""Probes `/healthz` and `/readyz`: is the process alive, and can it take a turn."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from aiohttp import web

from dispatcher import __version__
from dispatcher.errors import StateError
from dispatcher.front.connection.front_context import CONTEXT, FrontContext
from dispatcher.routing.readiness import READY, read_stages

PROBE_TIMEOUT_S: Final = 1.0
NO_ANSWER: Final = f"no answer in {PROBE_TIMEOUT_S:g} s"
START_TIMEOUT_S: Final = 120.0


class StartProbe:
    """State of the stages, asked until all of them have started once.

    From then on it is not asked any more: where instances fail, a connected device gets an apology, and one
    that is turned away gets nothing. For the same reason the start is not waited for without end.

    Attributes:
        over: nothing is waited for any more.
    """

    def __init__(self) -> None:
        self.over = False
        self._ends_at = time.monotonic() + START_TIMEOUT_S

    async def missing(self, context: FrontContext) -> dict[str, str]:
        """Return the state of each stage while one of them cannot begin, else nothing."""
        stages = await _stages(context)
        if "stages" in stages:
            return stages
        all_ready = all(state == READY for state in stages.values())
        self.over = all_ready or time.monotonic() > self._ends_at
        return {} if self.over else stages


START: Final = web.AppKey("start", StartProbe)


def add_probes(app: web.Application) -> None:
    """Register both probes."""
    app[START] = StartProbe()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)


async def healthz(request: web.Request) -> web.Response:
    """Answer 200 while the loop runs, with the id of the front and its share of the devices."""
    settings = request.app[CONTEXT].settings
    body = {"status": "ok", "version": __version__, "server_id": settings.server_id}
    return web.json_response({**body, "weight": settings.instance_weight})


async def readyz(request: web.Request) -> web.Response:
    """Answer 200 when the broker answers, replies flow and the stages have started; else 503 with the reason.

    `?only=front` leaves the stages out, for a supervisor that starts the parts one by one.
    `?stages=now` also tells how each stage stands, for people; the verdict goes by the checks all the same.
    """
    context, start = request.app[CONTEXT], request.app[START]
    checks = {
        "broker": await _broker(context),
        "replies": "ok" if context.status.replies_flow else "no stream yet",
    }
    alone = request.query.get("only") == "front"
    if checks["broker"] == "ok" and not start.over and not alone:
        checks |= await start.missing(context)
    if context.status.draining:
        checks["front"] = "draining"
    ready = all(state == "ok" for state in checks.values())
    body: dict[str, object] = {
        "status": "ready" if ready else "not ready",
        "devices": len(context.devices),
        "checks": checks,
    }
    if request.query.get("stages") == "now" and checks["broker"] == "ok":
        body["stages"] = await _stages(context)
    return web.json_response(body, status=200 if ready else 503)


async def _stages(context: FrontContext) -> dict[str, str]:
    """Return the state of each stage, or under "stages" why it is not known."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return dict((await read_stages(context.redis)).items())
    except (StateError, TimeoutError) as error:
        return {"stages": str(error) or NO_ANSWER}


async def _broker(context: FrontContext) -> str:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await context.redis.execute("PING")
    except (StateError, TimeoutError) as error:
        return str(error) or NO_ANSWER
    return "ok"

"""The live page: its files, the feed, the explanation of a turn, and history for charts."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Final

from aiohttp import web

from dispatcher.console.access import NOT_STORED, may_read, require_reader
from dispatcher.console.context import CONSOLE
from dispatcher.console.page_sections import explain
from dispatcher.console.record_queries import SPANS
from dispatcher.errors import StateError, UnknownName
from dispatcher.front.http.pages import STATIC as TALK_STATIC
from dispatcher.front.http.pages import link_attributes
from dispatcher.settings import Settings
from dispatcher.web_assets import add_page, read_assets

STATIC: Final = Path(__file__).parent / "static"
# A browser that takes nothing for so long is gone, and its place is another's.
WRITE_TIMEOUT_S: Final = 30.0
# The talk page's own; a file of the console with the same name wins.
SHARED: Final = ("base.css", "flower-link.js", "i18n.js", "identity.js", "mark.svg")
STREAM_HEADERS: Final = {
    **NOT_STORED,
    "Content-Type": "text/event-stream",
    "X-Accel-Buffering": "no",  # nginx would keep events until its buffer is full
}


def add_console_page(app: web.Application, settings: Settings) -> None:
    """Add the page and what it asks for; all its addresses are relative, so that any prefix will do."""
    shared = {name: asset for name, asset in read_assets(TALK_STATIC).items() if name in SHARED}
    add_page(app, {**shared, **read_assets(STATIC, link_attributes(settings))})
    app.router.add_get("/live", stream_sections)
    app.router.add_get("/turns/{turn}", show_turn)
    app.router.add_get("/history/{span}", show_history)


async def stream_sections(request: web.Request) -> web.StreamResponse:
    """Send the sections as they change, until the browser goes or its session ends."""
    require_reader(request)
    feed = request.app[CONSOLE].feed
    if feed.is_full:
        raise web.HTTPServiceUnavailable(text="too many browsers look at this console")
    response = web.StreamResponse(headers=STREAM_HEADERS)
    await response.prepare(request)
    async with aclosing(feed.view()) as view:
        async for messages in view:
            if not may_read(request):
                break
            try:
                async with asyncio.timeout(WRITE_TIMEOUT_S):
                    await response.write(messages)
            except TimeoutError:
                _abort(request)
                break
    return response


def _abort(request: web.Request) -> None:
    """Drop the connection: to end the answer would wait for the same browser."""
    if request.transport is not None:
        request.transport.abort()


async def show_turn(request: web.Request) -> web.Response:
    """Answer with each call of a turn, as `dispatcher why` tells it."""
    require_reader(request)
    try:
        found = await explain(request.app[CONSOLE].redis, request.match_info["turn"])
    except UnknownName as error:
        raise web.HTTPNotFound(text=str(error)) from error
    except StateError as error:
        raise web.HTTPServiceUnavailable(text=str(error)) from error
    return web.json_response(found)


async def show_history(request: web.Request) -> web.Response:
    """Answer with the KPIs of the last hour, day or month, or why there are none."""
    require_reader(request)
    span = request.match_info["span"]
    if span not in SPANS:
        raise web.HTTPNotFound(text=f"span: was {span!r}; expected one of {', '.join(SPANS)}")
    records = request.app[CONSOLE].records
    history = await records.kpi_history(span)
    return web.json_response(history or {"trouble": records.trouble})

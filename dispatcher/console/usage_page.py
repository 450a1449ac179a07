"""Usage for the page: totals by device, persona, instance or day, and the same as CSV."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, Final

from aiohttp import web

from dispatcher.catalogue.model import Catalogue
from dispatcher.console.access import require_reader
from dispatcher.console.context import CONSOLE
from dispatcher.errors import ConfigError, StateError
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.routing.rules.usage import day_of

# Spans that the page offers, in days; today is one of them.
SPANS: Final = {"day": 1, "week": 7, "month": 30}
GROUPINGS: Final = ("device", "persona", "instance", "day")
CSV_HEADERS: Final = {"Content-Disposition": 'attachment; filename="usage.csv"'}
_DAY_S: Final = 24 * 3600


def add_usage(app: web.Application) -> None:
    """Add the addresses that the section of usage asks."""
    app.router.add_get("/usage/{span}", show_usage)
    app.router.add_get("/usage/{span}/csv", download_usage)


async def show_usage(request: web.Request) -> web.Response:
    """Answer with the usage of a span and that of its days, or why there is none."""
    by, first_day, currency = await _asked(request)
    records = request.app[CONSOLE].records
    found = await records.usage(by, first_day)
    by_day = await records.usage("day", first_day)
    if found is None or by_day is None:
        return web.json_response({"trouble": records.trouble})
    return web.json_response({"by": by, "currency": currency, "rows": found, "days": by_day})


async def download_usage(request: web.Request) -> web.Response:
    """Answer with the usage of a span as CSV."""
    by, first_day, _ = await _asked(request)
    records = request.app[CONSOLE].records
    text = await records.usage_csv(by, first_day)
    if text is None:
        raise web.HTTPServiceUnavailable(text=records.trouble)
    return web.Response(text=text, content_type="text/csv", charset="utf-8", headers=CSV_HEADERS)


async def _asked(request: web.Request) -> tuple[Any, str, str]:
    """Return by what usage is grouped, its first day and the currency, for who may read."""
    require_reader(request)
    span, by = request.match_info["span"], request.query.get("by", "instance")
    if span not in SPANS:
        raise web.HTTPNotFound(text=f"span: was {span!r}; expected one of {', '.join(SPANS)}")
    if by not in GROUPINGS:
        raise web.HTTPBadRequest(text=f"by: was {by!r}; expected one of {', '.join(GROUPINGS)}")
    zone, currency = await _house(request.app[CONSOLE].redis)
    return by, day_of(time.time() - (SPANS[span] - 1) * _DAY_S, zone), currency


async def _house(redis: RedisClient) -> tuple[str, str]:
    """Return time zone and currency of the house; empty where Redis is unreachable."""
    catalogue: Catalogue | None = None
    with suppress(StateError, ConfigError):
        active = await instance_table.read_active(redis)
        catalogue = active.catalogue if active else None
    if catalogue is None:
        return "", ""
    return catalogue.conversation.timezone or "", catalogue.usage.currency

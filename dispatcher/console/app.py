"""Application of the console: `/metrics` for Prometheus, `/healthz`, and a page that leads on."""

from __future__ import annotations

import asyncio
import errno
import html
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from dispatcher import __version__, event_loop
from dispatcher.console.gauges import SnapshotCollector
from dispatcher.console.snapshot import ConsoleSnapshot, take_snapshot
from dispatcher.console.store_probe import StoreProbe
from dispatcher.console.stream_metrics import StreamMetrics
from dispatcher.console.stream_tail import StreamTail
from dispatcher.errors import StartError, StateError, in_words
from dispatcher.logs import configure_logging
from dispatcher.redis_client.client import RedisClient, cache_client, connect
from dispatcher.settings import Settings, load_settings

log = structlog.get_logger(__name__)

# Well within Prometheus's own 10 s for a scrape.
SNAPSHOT_TIMEOUT_S: Final = 3.0
_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>xiaozhi dispatcher</title>
<h1>xiaozhi dispatcher</h1>
<ul>
<li><a href="metrics">metrics</a>: figures of the whole deployment, for Prometheus</li>
{flower}
<li><a href="healthz">healthz</a>: whether this process runs</li>
</ul>
</html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleContext:
    """What the requests of one console share."""

    settings: Settings
    redis: RedisClient
    cache_redis: RedisClient
    metrics: StreamMetrics
    store: StoreProbe


CONSOLE: Final = web.AppKey("console", ConsoleContext)


def create_console(settings: Settings) -> web.Application:
    """Return the application; it connects when it starts."""
    app = web.Application()

    async def follow_streams(app: web.Application) -> AsyncIterator[None]:
        redis, metrics = RedisClient(connect(settings.redis_url)), StreamMetrics()
        cache_redis = cache_client(settings, redis)
        app[CONSOLE] = ConsoleContext(
            settings=settings,
            redis=redis,
            cache_redis=cache_redis,
            metrics=metrics,
            store=StoreProbe(settings.database),
        )
        blocking_redis = connect(settings.redis_url, socket_timeout_s=None)
        tail = asyncio.create_task(StreamTail(blocking_redis, metrics).run())
        yield
        tail.cancel()
        with suppress(asyncio.CancelledError):
            await tail
        await blocking_redis.aclose()
        with suppress(StateError):
            if cache_redis is not redis:
                await cache_redis.close()
            await redis.close()

    app.cleanup_ctx.append(follow_streams)
    app.router.add_get("/", show_index)
    app.router.add_get("/healthz", show_health)
    app.router.add_get("/metrics", show_metrics)
    return app


async def show_index(request: web.Request) -> web.Response:
    """Answer with a page of links; Flower is among them where `dispatcher up` runs it."""
    settings = request.app[CONSOLE].settings
    flower = ""
    if settings.flower_link:
        url = html.escape(f"http://{request.url.host}:{settings.flower_port}/")
        flower = f'<li><a href="{url}">Flower</a>: workers and tasks of Celery</li>'
    page = _PAGE.format(flower=flower)
    headers = {"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store"}
    return web.Response(text=page, content_type="text/html", headers=headers)


async def show_health(_: web.Request) -> web.Response:
    """Answer 200 while the loop runs; the metrics tell of an unreachable Redis."""
    return web.json_response({"status": "ok", "version": __version__})


async def show_metrics(request: web.Request) -> web.Response:
    """Answer with all that is shared; what Redis cannot tell now is left out, and `xiaozhi_redis_up` is 0."""
    console = request.app[CONSOLE]
    snapshot, store = await asyncio.gather(_snapshot(console), console.store.answer())
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector(snapshot, store))
    body = generate_latest(registry) + generate_latest(console.metrics.registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


async def _snapshot(console: ConsoleContext) -> ConsoleSnapshot | None:
    try:
        async with asyncio.timeout(SNAPSHOT_TIMEOUT_S):
            return await take_snapshot(console.redis, console.cache_redis)
    except (TimeoutError, ExceptionGroup) as error:
        cause = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
        if not isinstance(cause, (StateError, TimeoutError)):
            raise
        log.warning("redis not readable", reason=in_words(cause))
        return None


def run_console() -> None:
    """Run the console of this process's settings until it gets a signal to stop.

    Raises:
        StartError: the port is taken.
        ConfigError: a setting is wrong.
    """
    settings = load_settings()
    configure_logging(settings)
    try:
        web.run_app(
            create_console(settings),
            host=settings.console_host,
            port=settings.console_port,
            print=None,
            access_log=None,
            shutdown_timeout=1,
            loop=event_loop.new_event_loop(),
        )
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise StartError(f"port {settings.console_port} is taken; set CONSOLE_PORT to another") from error

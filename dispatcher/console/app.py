"""Application of the console: the live page, `/metrics` for Prometheus, `/healthz`."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from dispatcher import __version__, event_loop
from dispatcher.console.context import CONSOLE, ConsoleContext
from dispatcher.console.fleet_events import FleetEvents
from dispatcher.console.gauges import SnapshotCollector
from dispatcher.console.live_feed import SNAPSHOT_TIMEOUT_S, FeedSources, LiveFeed
from dispatcher.console.page import add_page
from dispatcher.console.recent_turns import RecentTurns
from dispatcher.console.record_queries import RecordQueries, open_store
from dispatcher.console.sections import SECTIONS
from dispatcher.console.snapshot import ConsoleSnapshot, take_snapshot
from dispatcher.console.store_probe import StoreProbe
from dispatcher.console.stream_metrics import StreamMetrics
from dispatcher.console.stream_tail import StreamTail
from dispatcher.errors import StartError, StateError, in_words
from dispatcher.logs import configure_logging
from dispatcher.redis_client.client import RedisClient, cache_client, connect
from dispatcher.settings import Settings, load_settings

log = structlog.get_logger(__name__)


def create_console(settings: Settings) -> web.Application:
    """Return the application; it connects when it starts."""
    app = web.Application()
    app.cleanup_ctx.append(partial(_follow, settings))
    add_page(app, settings)
    app.router.add_get("/healthz", show_health)
    app.router.add_get("/metrics", show_metrics)
    return app


async def _follow(settings: Settings, app: web.Application) -> AsyncIterator[None]:
    """Connect, and follow Redis until the application ends."""
    redis, metrics, turns = RedisClient(connect(settings.redis_url)), StreamMetrics(), RecentTurns()
    cache_redis = cache_client(settings, redis)
    engine = open_store(settings.database)
    records = RecordQueries(engine)
    sources = FeedSources(
        redis=redis, cache_redis=cache_redis, turns=turns, events=FleetEvents(), records=records
    )
    feed = LiveFeed(sources, SECTIONS)
    app[CONSOLE] = ConsoleContext(
        settings=settings,
        redis=redis,
        cache_redis=cache_redis,
        metrics=metrics,
        store=StoreProbe(engine),
        records=records,
        feed=feed,
    )
    blocking_redis = connect(settings.redis_url, socket_timeout_s=None)
    tail = StreamTail(blocking_redis, metrics, turns)
    running = [asyncio.create_task(each) for each in (tail.run(), feed.run(), _add_earlier(turns, records))]
    yield
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await blocking_redis.aclose()
    with suppress(StateError):
        if cache_redis is not redis:
            await cache_redis.close()
        await redis.close()


async def _add_earlier(turns: RecentTurns, records: RecordQueries) -> None:
    turns.add_earlier(await records.turns() or [])


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

"""Application of the console: the live page, `/metrics` for Prometheus, `/healthz`."""

from __future__ import annotations

import asyncio
import errno
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from dispatcher import __version__, event_loop
from dispatcher.console.access import add_sign_in
from dispatcher.console.context import CONSOLE, ConsoleContext
from dispatcher.console.fleet_events import FleetEvents
from dispatcher.console.gauges import SnapshotCollector
from dispatcher.console.live_feed import SNAPSHOT_TIMEOUT_S, FeedSources, LiveFeed
from dispatcher.console.operator_actions import act
from dispatcher.console.operator_sessions import OperatorSessions
from dispatcher.console.page import add_console_page
from dispatcher.console.page_sections import SECTIONS
from dispatcher.console.persona_editor import add_persona_editor
from dispatcher.console.recent_turns import RecentTurns
from dispatcher.console.record_queries import RecordQueries, open_store
from dispatcher.console.snapshot import ConsoleSnapshot, take_snapshot
from dispatcher.console.store_probe import StoreProbe
from dispatcher.console.stream_metrics import StreamMetrics
from dispatcher.console.stream_tail import StreamTail
from dispatcher.console.usage_page import add_usage
from dispatcher.errors import StartError, StateError, in_words
from dispatcher.logs import configure_logging
from dispatcher.redis_client.client import RedisClient, cache_client, connect
from dispatcher.settings import Settings, load_settings
from dispatcher.supervisor.operator_password import read_operator_password
from dispatcher.web_assets import add_security_headers

log = structlog.get_logger(__name__)


def create_console(settings: Settings) -> web.Application:
    """Return the application; it connects when it starts.

    Raises:
        ConfigError: the operator's password cannot be used.
    """
    app = web.Application()
    app.on_response_prepare.append(add_security_headers)
    sessions = OperatorSessions(_password(settings))
    app.cleanup_ctx.append(partial(_follow, settings, sessions))
    add_console_page(app, settings)
    add_sign_in(app)
    add_usage(app)
    app.router.add_post("/actions", act)
    add_persona_editor(app)
    app.router.add_get("/healthz", show_health)
    app.router.add_get("/metrics", show_metrics)
    return app


def _password(settings: Settings) -> str:
    """Return the operator's password; one that nobody knows where DATA_DIR cannot hold one."""
    try:
        return read_operator_password(settings)
    except StartError as error:
        log.warning("nobody can sign in", reason=str(error))
        return secrets.token_urlsafe(16)


async def _follow(
    settings: Settings, sessions: OperatorSessions, app: web.Application
) -> AsyncIterator[None]:
    """Connect, and follow Redis until the application ends."""
    metrics, turns = StreamMetrics(), RecentTurns()
    app[CONSOLE] = console = _open(settings, sessions, metrics, turns)
    blocking_redis = connect(settings.redis_url, socket_timeout_s=None)
    tail = StreamTail(blocking_redis, metrics, turns)
    earlier = _add_earlier(turns, console.records)
    running = [asyncio.create_task(each) for each in (tail.run(), console.feed.run(), earlier)]
    yield
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await blocking_redis.aclose()
    with suppress(StateError):
        if console.cache_redis is not console.redis:
            await console.cache_redis.close()
        await console.redis.close()


def _open(
    settings: Settings, sessions: OperatorSessions, metrics: StreamMetrics, turns: RecentTurns
) -> ConsoleContext:
    redis = RedisClient(connect(settings.redis_url))
    cache_redis = cache_client(settings, redis)
    engine = open_store(settings.database)
    records = RecordQueries(engine)
    sources = FeedSources(
        redis=redis, cache_redis=cache_redis, turns=turns, events=FleetEvents(), records=records
    )
    return ConsoleContext(
        settings=settings,
        redis=redis,
        cache_redis=cache_redis,
        metrics=metrics,
        store=StoreProbe(engine),
        records=records,
        feed=LiveFeed(sources, SECTIONS),
        sessions=sessions,
    )


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
    except (TimeoutError, StateError) as error:
        log.warning("redis not readable", reason=in_words(error))
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
            auto_decompress=False,
            loop=event_loop.new_event_loop(),
        )
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise StartError(f"port {settings.console_port} is taken; set CONSOLE_PORT to another") from error

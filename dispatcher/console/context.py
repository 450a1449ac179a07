"""Context of one console: what its requests share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from dispatcher.console.live_feed import LiveFeed
from dispatcher.console.operator_sessions import OperatorSessions
from dispatcher.console.record_queries import RecordQueries
from dispatcher.console.store_probe import StoreProbe
from dispatcher.console.stream_metrics import StreamMetrics
from dispatcher.redis_client.client import RedisClient
from dispatcher.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleContext:
    """Connections, metrics, the feed, and who signed in."""

    settings: Settings
    redis: RedisClient
    cache_redis: RedisClient
    metrics: StreamMetrics
    store: StoreProbe
    records: RecordQueries
    feed: LiveFeed
    sessions: OperatorSessions


CONSOLE: Final = web.AppKey("console", ConsoleContext)

"""A client of the Redis of a deployment: one server, plain or over TLS, or whichever the sentinels name."""

from __future__ import annotations

from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.maint_notifications import MaintNotificationsConfig

from dispatcher.redis_url import REDIS_CONNECT_TIMEOUT_S, RedisAddress, keepalive_options, parse_redis_url

SOCKET_TIMEOUT_S: Final = 5.0


class _Following(Redis):
    """A client of whichever Redis the sentinels call the master."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001  redis-py's signature
        """Close the connections to the master and to the sentinels."""
        await super().aclose(close_connection_pool)
        await cast("SentinelConnectionPool", self.connection_pool).sentinel_manager.aclose()


def connect(url: str, *, socket_timeout_s: float | None = SOCKET_TIMEOUT_S) -> Redis:
    """Return a client whose every wait is bounded; nothing connects before the first command.

    Args:
        url: one Redis, plain or over TLS, or sentinels, as dispatcher/redis_url.py reads it.
        socket_timeout_s: None for a connection that waits for what others send; that its peer was cut off
            is noticed by the system's own questions.

    Raises:
        ValueError: the URL cannot be used.
    """
    address = parse_redis_url(url)
    waits: dict[str, Any] = {
        "socket_timeout": socket_timeout_s,
        "socket_connect_timeout": REDIS_CONNECT_TIMEOUT_S,
        "socket_keepalive": True,
        "socket_keepalive_options": keepalive_options(),
    }
    options = {**waits, **_options(address)}
    if not address.master_name:
        ((host, port),) = address.hosts
        return Redis(host=host, port=port, **options)
    asked = {**waits, "socket_timeout": REDIS_CONNECT_TIMEOUT_S, **address.sentinel_options()}
    sentinel = Sentinel(address.hosts, sentinel_kwargs=asked, **options)  # type: ignore[no-untyped-call]
    return cast("Redis", sentinel.master_for(address.master_name, redis_class=_Following))


def _options(address: RedisAddress) -> dict[str, Any]:
    return {
        **address.tls_options(),
        "ssl": address.tls,
        "db": address.database,
        "username": address.username,
        "password": address.password,
        "retry": Retry(NoBackoff(), 1),
        "retry_on_error": [RedisConnectionError],
        # For a service of Redis Ltd. only; where it is on, redis-py takes a closed connection for a good one.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }

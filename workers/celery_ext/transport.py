"""kombu's transport for Redis, which drops and counts a message that cannot be read.

Whoever may write to Redis can put anything into a queue: another program, another version, a slip.
kombu lets what cannot be decoded end the worker, together with all that it works on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

import structlog
from kombu import transport
from kombu.transport import redis
from redis.exceptions import RedisError

from dispatcher.control.log_limit import LogLimit
from dispatcher.messages import QUEUES
from dispatcher.redis_client import keys

DROPPED_MESSAGES_TTL_S: Final = 24 * 3600

log = structlog.get_logger(__name__)

DROPPED_LOG_INTERVAL_S: Final = 10.0
OTHER_QUEUE: Final = "other"

_drops = LogLimit(DROPPED_LOG_INTERVAL_S)


def drop_message(channel: Any, queue: object, reason: str) -> None:
    """Count a message that is not worked on, and log it: its reason alone, never what it holds.

    Args:
        channel: where it was read; it counts in Redis.
        queue: where it came from, as the message or kombu says.
        reason: what is wrong with it.
    """
    name = queue if queue in QUEUES else OTHER_QUEUE
    if messages := _drops.count():
        log.warning("message dropped", queue=name, reason=reason, messages=messages)
    channel.count_drop(name)


def drop_commands(queue: str) -> tuple[tuple[str | int, ...], ...]:
    """Return the commands that count a message that is not worked on."""
    return (
        ("HINCRBY", keys.DROPPED_MESSAGES, queue, 1),
        ("EXPIRE", keys.DROPPED_MESSAGES, DROPPED_MESSAGES_TTL_S),
    )


class _DroppingChannel:
    """Drops what cannot be read, for remote control and for pools without a loop; a lost Redis is raised."""

    connection: Any
    pool: Any
    qos: Any
    _create_client: Any
    _queue_cycle: Any
    _sender: Any = None

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Generator[Any]:
        """Yield the client that sends; kombu makes one for each message, which took half of a publish."""
        if client is None:
            if self._sender is None or self._sender.connection_pool is not self.pool:
                self._sender = self._create_client()
            client = self._sender
        yield client

    def count_drop(self, queue: str) -> None:
        """Count a message that is not worked on."""
        with suppress(RedisError, OSError), self.conn_or_acquire() as client:
            pipeline = client.pipeline(transaction=False)
            for command in drop_commands(queue):
                pipeline.execute_command(*command)
            pipeline.execute()

    def _brpop_read(self, **options: Any) -> Any:
        """Read one message; what is no JSON counts as read."""
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except (ValueError, RecursionError) as error:
            # kombu has moved the queue that it read from to the end of its cycle.
            queue = self._queue_cycle.items[-1] if self._queue_cycle.items else OTHER_QUEUE
            drop_message(self, queue, f"no JSON ({type(error).__name__})")
            return True

    def basic_consume(self, queue: str, *args: Any, **options: Any) -> Any:
        """Consume a queue, and survive what is in it."""
        result = super().basic_consume(queue, *args, **options)  # type: ignore[misc]
        callbacks = self.connection._callbacks  # noqa: SLF001  kombu has no other place for it
        callbacks[queue] = partial(self._deliver, callbacks[queue], queue)
        return result

    def _deliver(self, deliver: Callable[[Any], Any], queue: str, raw: Any) -> Any:
        try:
            return deliver(raw)
        except (RedisError, OSError):  # kombu counts a missing key of the message among its own errors
            raise
        except Exception as error:  # noqa: BLE001  a message may be wrong in any way
            drop_message(self, queue, f"no message of Celery ({type(error).__name__})")
            with suppress(Exception):
                self.qos.ack(raw["properties"]["delivery_tag"])
            return None


class DroppingRedisChannel(_DroppingChannel, redis.Channel):
    """A channel to one Redis."""


class DroppingSentinelChannel(_DroppingChannel, redis.SentinelChannel):
    """A channel to the Redis that sentinels name."""


class DroppingTransport(redis.Transport):
    """Redis, plain or over TLS."""

    Channel = DroppingRedisChannel


class DroppingSentinelTransport(redis.SentinelTransport):
    """Redis behind sentinels."""

    Channel = DroppingSentinelChannel


def use_dropping_transports() -> None:
    """Have kombu use these for its schemes; a setting is forgotten when it goes from sentinel to sentinel."""
    ours = f"{__name__}:"
    transport._transport_cache.clear()  # noqa: SLF001  a scheme that was used before is kept there
    transport.TRANSPORT_ALIASES.update(
        redis=f"{ours}DroppingTransport",
        rediss=f"{ours}DroppingTransport",
        sentinel=f"{ours}DroppingSentinelTransport",
    )

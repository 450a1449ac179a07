"""kombu's transport for Redis, which drops and counts a message that cannot be read.

Whoever may write to Redis can put anything into a queue: another program, another version, a slip.
kombu lets what cannot be decoded end the worker, together with all that it works on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import structlog
from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import RedisError, ResponseError

from dispatcher.control.log_limit import LogLimit
from dispatcher.messages import QUEUES
from dispatcher.redis_client import keys
from workers.celery_ext.taken import TAKEN

log = structlog.get_logger(__name__)

DROPPED_LOG_INTERVAL_S: Final = 10.0
OTHER_QUEUE: Final = "other"

_drops = LogLimit(DROPPED_LOG_INTERVAL_S)


def drop_message(channel: Any, queue: object, reason: str) -> None:
    """Count a message that is not worked on, and log it: its reason alone, never what it holds.

    Args:
        channel: of kombu; its client counts in Redis.
        queue: where it came from, as the message or kombu says.
        reason: what is wrong with it.
    """
    name = queue if queue in QUEUES else OTHER_QUEUE
    if messages := _drops.count():
        log.warning("message dropped", queue=name, reason=reason, messages=messages)
    with suppress(RedisError, OSError), channel.conn_or_acquire() as client:
        pipeline = client.pipeline(transaction=False)
        pipeline.hincrby(keys.DROPPED_MESSAGES, name, 1)
        pipeline.expire(keys.DROPPED_MESSAGES, keys.DROPPED_MESSAGES_TTL_S)
        pipeline.execute()


class _DroppingChannel:
    """Adds what it reads to the taken messages, or drops what cannot be read; a lost Redis is raised."""

    connection: Any
    client: Any
    conn_or_acquire: Any
    active_queues: Any
    brpop_timeout: float
    qos: Any
    _queue_cycle: Any
    _in_poll: Any
    _brpop_sent_at: Any
    _read: bytes | None = None
    _identified_socket: Any = None
    _moving_from = ""
    _task_id = ""

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Ask for the next message; it moves to the list of this worker as it leaves its queue."""
        if not TAKEN.worker:
            super()._brpop_start(timeout)  # type: ignore[misc]
            return
        if TAKEN.is_stuck:
            return
        client = self.client
        self._identify_connection(client.connection)
        client.set_response_callback("BRPOP", self._parse_answer)
        if len(self.active_queues) > 1:  # no command moves from several lists at once
            super()._brpop_start(timeout)  # type: ignore[misc]
            return
        queues = self._queue_cycle.consume(1)
        if not queues:
            return
        self._moving_from = queue = queues[0]
        self._in_poll = client.connection
        self._brpop_sent_at = time.monotonic()
        client.connection.send_command("BLMOVE", queue, TAKEN.key, "RIGHT", "LEFT", self.brpop_timeout)

    def _identify_connection(self, connection: Any) -> None:
        """Read the id of the connection in Redis, once for each."""
        if connection._sock is not self._identified_socket:  # noqa: SLF001  a connection object outlives its connection
            TAKEN.blocking_client = None
            with suppress(ResponseError):  # a server may refuse
                connection.send_command("CLIENT", "ID")
                TAKEN.blocking_client = int(connection.read_response())
            self._identified_socket = connection._sock  # noqa: SLF001

    def _parse_answer(self, answer: Any, **_: Any) -> tuple[bytes, bytes] | None:
        """Return queue and message, whichever command they were asked for with."""
        if not answer:
            return None
        if isinstance(answer, bytes):
            queue, message = self._moving_from.encode(), answer
        else:
            queue, message = answer
            with self.conn_or_acquire() as client:
                client.lpush(TAKEN.key, message)
        self._read = message
        return queue, message

    def _brpop_read(self, **options: Any) -> Any:
        """Read one message; what is no JSON counts as read."""
        self._read, self._task_id = None, ""
        try:
            return self._read_next(**options)
        finally:
            if self._read is not None:
                TAKEN.add(self._task_id, self._read)

    def _read_next(self, **options: Any) -> Any:
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
        self._task_id = _task_id(raw)
        try:
            return deliver(raw)
        except (RedisError, OSError):  # kombu counts a missing key of the message among its own errors
            raise
        except Exception as error:  # noqa: BLE001  a message may be wrong in any way
            drop_message(self, queue, f"no message of Celery ({type(error).__name__})")
            with suppress(Exception):
                self.qos.ack(raw["properties"]["delivery_tag"])
            return None


def _task_id(raw: Any) -> str:
    """Return the id of a message's task, or nothing where it has none."""
    headers = raw.get("headers") if isinstance(raw, dict) else None
    return str(headers.get("id", "")) if isinstance(headers, dict) else ""


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
    TRANSPORT_ALIASES.update(
        redis=f"{ours}DroppingTransport",
        rediss=f"{ours}DroppingTransport",
        sentinel=f"{ours}DroppingSentinelTransport",
    )

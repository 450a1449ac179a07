"""Consumer of kombu whose messages are read, decoded and handed to Celery on the worker's loop.

Each queue has a connection that waits there with BLMOVE: kombu has one connection for all queues in the main
thread, which wakes a thread of the pool, which wakes the loop. That took two thirds of what a task cost.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, Final

import structlog
from kombu import Consumer
from kombu.transport import virtual
from redis.exceptions import RedisError, ResponseError

from dispatcher.backoff import BackOff
from dispatcher.errors import StateError, in_words
from dispatcher.pipeline.worker_context import process_context
from dispatcher.redis_client.connection import connect
from dispatcher.redis_client.pipelined_connection import PipelinedConnection
from workers.celery_ext.taken import TAKEN
from workers.celery_ext.transport import drop_commands, drop_message

log = structlog.get_logger(__name__)

READ_BLOCK_S: Final = 5
# An answer that is later than that never comes: the connection was cut without a word.
READ_GRACE_S: Final = 5.0


class TakenChannel:
    """What a taken message has in the place of kombu's channel."""

    no_ack_consumers = None
    codecs = virtual.Channel.codecs
    decode_body = virtual.Channel.decode_body

    def basic_ack(self, delivery_tag: int, multiple: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002  kombu's signature
        """End a message whose task is over."""
        TAKEN.end(delivery_tag)

    def basic_reject(self, delivery_tag: int, requeue: bool = False) -> None:  # noqa: FBT001, FBT002  likewise
        """End a message that is not worked on, or give it back to its queue."""
        TAKEN.end(delivery_tag, again=requeue)

    def count_drop(self, queue: str) -> None:
        """Count a message that is not worked on."""
        context = process_context()
        for command in drop_commands(queue):
            context.loop.call_on_loop(context.redis.send_nowait, *command)


CHANNEL: Final = TakenChannel()


class QueueReader:
    """Reader of one queue, on a connection of its own."""

    def __init__(self, queue: str, consumer: LoopConsumer) -> None:
        """Read nothing yet."""
        self._queue = queue
        self._consumer = consumer
        self._client_id: int | None = None
        self._former: tuple[bytes, bytes] | None = None
        self._is_stopped = False

    def start(self) -> None:
        """Read until `stop`; called from any thread."""
        process_context().keep_running(self._run())

    def stop(self) -> None:
        """Read no more, at once; called from any thread."""
        self._is_stopped = True
        process_context().loop.call_on_loop(self._wake_up)

    def _wake_up(self) -> None:
        if self._client_id is not None:
            process_context().redis.send_nowait("CLIENT", "UNBLOCK", self._client_id)

    async def _run(self) -> None:
        client = connect(process_context().settings.redis_url, socket_timeout_s=None)
        connection = PipelinedConnection(client)
        pauses = BackOff(longest_s=1.0)
        try:
            while not self._is_stopped:
                try:
                    await self._read(connection, pauses)
                except (RedisError, StateError, OSError, TimeoutError) as error:
                    self._client_id = None
                    if not pauses.tries:
                        log.warning("queue out of reach", queue=self._queue, reason=in_words(error))
                    await asyncio.sleep(pauses.next_s())
        finally:
            await client.aclose()

    async def _read(self, connection: PipelinedConnection, pauses: BackOff) -> None:
        """Read messages until the connection breaks or the reader is stopped."""
        await connection.open()
        try:
            await self._end_former(connection)
            await TAKEN.recover(self._queue)
            command = ("BLMOVE", self._queue, TAKEN.key, "RIGHT", "LEFT", READ_BLOCK_S)
            while not self._is_stopped:
                await TAKEN.wait_for_room()
                message = await connection.execute(*command, timeout_s=READ_BLOCK_S + READ_GRACE_S)
                pauses.reset()
                if message is not None:
                    self._take(message)
        finally:
            connection.close()

    async def _end_former(self, connection: PipelinedConnection) -> None:
        """End the connection before this one, which Redis may still have: its read would move a message."""
        told = await connection.execute("CLIENT", "INFO", timeout_s=READ_GRACE_S)
        own = dict(field.split(b"=", 1) for field in told.split() if b"=" in field)
        former, self._former = self._former, (own[b"id"], own[b"addr"])
        self._client_id = int(own[b"id"])
        if former is not None:
            # A Redis that restarted gives the same ids again; one may forbid it.
            with suppress(ResponseError):
                kill = ("CLIENT", "KILL", "ID", former[0], "ADDR", former[1])
                await connection.execute(*kill, timeout_s=READ_GRACE_S)

    def _take(self, raw: bytes) -> None:
        number = TAKEN.add(self._queue, raw)
        if self._is_stopped:
            TAKEN.end(number, again=True)
        else:
            self._consumer.deliver(self._queue, number, raw)


class LoopConsumer(Consumer):
    """kombu's consumer of task queues; Celery adds and cancels queues and sets the prefetch count."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Consume nothing yet."""
        self._readers: dict[str, QueueReader] = {}
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]

    def qos(self, prefetch_size: int = 0, prefetch_count: int = 0, apply_global: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002  kombu's signature
        """Take so many messages at once."""
        process_context().loop.call_on_loop(TAKEN.limit, prefetch_count)

    def cancel(self) -> None:
        """Read no queue any more; what was taken is worked on."""
        for name in tuple(self._readers):
            self._stop_reading(name)

    close = cancel

    def cancel_by_queue(self, queue: Any) -> None:
        """Read one queue no more."""
        name = getattr(queue, "name", queue)
        self._stop_reading(name)
        self._queues.pop(name, None)  # type: ignore[union-attr]

    def _basic_consume(self, queue: Any, consumer_tag: Any = None, **_: Any) -> Any:  # type: ignore[override]
        name = queue.name
        if name not in self._readers:
            self._add_tag(queue, consumer_tag)  # type: ignore[no-untyped-call]
            reader = self._readers[name] = QueueReader(name, self)
            reader.start()
        return self._active_tags[name]

    def _stop_reading(self, name: str) -> None:
        self._active_tags.pop(name, None)
        if reader := self._readers.pop(name, None):
            reader.stop()

    def deliver(self, queue: str, number: int, raw: bytes) -> None:
        """Hand a taken message to Celery, or drop it; called on the loop."""
        try:
            message = self._decoded(number, raw)
            if message.errors:
                message._reraise_error(self.on_decode_error)  # noqa: SLF001  as kombu's own consumer
            else:
                self.on_message(message)  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001  a message may be wrong in any way
            TAKEN.end(number)
            drop_message(CHANNEL, queue, f"no message of Celery ({type(error).__name__})")

    def _decoded(self, number: int, raw: bytes) -> Any:
        """Return a message with its body decoded, which the tracer is handed as it is."""
        message = virtual.Message(json.loads(raw), channel=CHANNEL)
        message.delivery_tag = number
        message.accept = self.accept
        if not message.errors and "task" in message.headers:
            message.body = message.decode()
            message.content_type = None
        return message

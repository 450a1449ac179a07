"""Messages that this worker process took from its queues and has not finished, where fronts see them too.

A message moves from its queue to the list `taken:{worker}` in one step, so that it is in one of them at every
moment, even if this process is killed or stops. It leaves the list a moment after its task is over.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from typing import Any, Final

from dispatcher.errors import StateError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.turn_store import worker_heartbeats

# A loop without a heartbeat for so long works on nothing: its process takes no more messages.
STUCK_AFTER_S: Final = worker_heartbeats.LOST_AFTER_S


class TakenMessages:
    """Taken messages: added by the thread that reads the queues, ended by the loop.

    Attributes:
        queues: those of this worker.
        worker: id of its heartbeat; empty where none is kept.
        blocking_client: id in Redis of the connection that waits for messages.
        on_missed: called with the queues whose workers are all lost, at every heartbeat.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.worker = ""
        self.queues: tuple[str, ...] = ()
        self.blocking_client: int | None = None
        self.on_missed: Callable[[set[str]], bool] = lambda _: False
        self._running: Container[str] = ()
        self._lock = threading.Lock()
        self._messages: list[tuple[str, bytes]] = []
        self._beat_at_s = 0.0

    @property
    def key(self) -> str:
        """Key of the list that holds them."""
        return keys.taken(self.worker)

    @property
    def is_stuck(self) -> bool:
        """Whether the loop stands still, which others take for the end of this process."""
        return time.monotonic() - self._beat_at_s > STUCK_AFTER_S

    def begin(self, queues: Iterable[str], running: Container[str]) -> None:
        """Keep the messages of these queues; `running` holds the ids of the tasks that are not over."""
        self.queues = tuple(queues)
        self.worker, self._running = worker_heartbeats.worker_id(self.queues), running

    def add(self, task_id: str, message: bytes) -> None:
        """Add a message that was handed to its task, or dropped."""
        with self._lock:
            self._messages.append((task_id, message))

    def mark_alive(self) -> None:
        """Record that the loop works."""
        self._beat_at_s = time.monotonic()

    async def follow(self, redis: RedisClient) -> None:
        """Send heartbeats and end what is over, on the loop, until the worker stops."""
        beating: asyncio.Task[None] | None = None
        try:
            while True:
                self.mark_alive()
                self._end_finished(redis)
                if beating is None or beating.done():  # while Redis is unreachable one of them waits
                    beating = asyncio.get_running_loop().create_task(self._beat(redis))
                await asyncio.sleep(worker_heartbeats.BEAT_INTERVAL_S)
        finally:
            if beating is not None:
                beating.cancel()
            self._end_finished(redis)
            worker_heartbeats.leave(redis, self.worker)

    async def _beat(self, redis: RedisClient) -> None:
        with suppress(StateError):
            missed = await worker_heartbeats.beat(redis, self.worker)
            if self.on_missed(missed) and self.blocking_client is not None:
                # It waits at its old queues, for up to a second.
                redis.send_nowait("CLIENT", "UNBLOCK", self.blocking_client)

    def _end_finished(self, redis: RedisClient) -> None:
        running: Any = self._running
        with self._lock:
            over = [message for task_id, message in self._messages if task_id not in running]
            self._messages = [each for each in self._messages if each[0] in running]
        for message in over:
            worker_heartbeats.end_message(redis, self.worker, message)


TAKEN: Final = TakenMessages()

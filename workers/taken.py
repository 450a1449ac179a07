"""The messages that this worker process took from its queues and is not done with, as fronts see them too.

A message moves from its queue to the list `taken:{worker}` in one step, so that it is in one of them at every
moment, even if this process is killed or stops. It leaves the list a moment after its task is over.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Container
from contextlib import suppress
from typing import Any, Final

from dispatcher.errors import StateError
from dispatcher.state import workers
from dispatcher.state.line import RedisLine

# A loop that shows no life for so long works on nothing: its process takes no more messages.
STUCK_AFTER_S: Final = workers.LOST_AFTER_S


class TakenMessages:
    """What is in hand; noted by the thread that reads the queues, looked through by the loop.

    Attributes:
        running: the ids of the tasks that are not over, as Celery keeps them; None where nobody looks.
    """

    def __init__(self) -> None:
        """Have nothing in hand."""
        self.running: Container[str] | None = None
        self._lock = threading.Lock()
        self._messages: list[tuple[str, bytes]] = []
        self._beat_at_s = 0.0

    @property
    def is_followed(self) -> bool:
        """Whether this process shows life, so that what it takes is found if it does so no more."""
        return self.running is not None

    @property
    def is_stuck(self) -> bool:
        """Whether the loop stands still, which others take for the end of this process."""
        return time.monotonic() - self._beat_at_s > STUCK_AFTER_S

    def note(self, task_id: str, message: bytes) -> None:
        """Note a message that was handed to its task, or dropped."""
        with self._lock:
            self._messages.append((task_id, message))

    async def follow(self, line: RedisLine) -> None:
        """Show life and let go of what is over, on the loop, until the worker stops."""
        worker = workers.worker_id()
        beating: asyncio.Task[None] | None = None
        try:
            while True:
                self._beat_at_s = time.monotonic()
                self._let_go(line, worker)
                if beating is None or beating.done():  # while Redis is away one of them waits
                    beating = asyncio.get_running_loop().create_task(_beat(line, worker))
                await asyncio.sleep(workers.BEAT_INTERVAL_S)
        finally:
            if beating is not None:
                beating.cancel()
            self._let_go(line, worker)
            workers.leave(line, worker)

    def _let_go(self, line: RedisLine, worker: str) -> None:
        running: Any = self.running or ()
        with self._lock:
            over = [message for task_id, message in self._messages if task_id not in running]
            self._messages = [each for each in self._messages if each[0] in running]
        for message in over:
            workers.end_message(line, worker, message)


async def _beat(line: RedisLine, worker: str) -> None:
    with suppress(StateError):
        await workers.beat(line, worker)


TAKEN: Final = TakenMessages()

"""Messages that this worker process took from its queues and has not finished, where fronts see them too.

A message moves from its queue to the list `taken:{worker}` in one step, so that it is in one of them at every
moment, even if this process is killed or stops. It leaves the list when its task is over.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from dispatcher import chains
from dispatcher.errors import StateError
from dispatcher.pipeline.loop_thread import LoopThread
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.turn_store import replies, worker_heartbeats

# So many ended messages are known again, should Redis have lost that they ended.
REMEMBERED_MESSAGES: Final = 64
# A loop without a heartbeat for so long works on nothing: its process takes no more messages.
STUCK_AFTER_S: Final = worker_heartbeats.LOST_AFTER_S


class TakenMessages:
    """Taken messages; all but `begin`, `end` and `give_back` belongs to the loop.

    As many attributes as methods: what threads ask for and what the loop keeps are two sides of one list.

    Attributes:
        queues: those of this worker.
        worker: id of its heartbeat; empty where none is kept.
        total: messages taken since the process started.
        count_in_line: returns how many of them the limit does not count: they wait in line for a slot, or
            have a spare one.
        on_missed: called with the queues whose workers are all lost, at every heartbeat.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.worker = ""
        self.total = 0
        self.queues: tuple[str, ...] = ()
        self.count_in_line: Callable[[], int] = lambda: 0
        self.on_missed: Callable[[set[str]], object] = lambda _: None
        self._loop: LoopThread
        self._redis: RedisClient
        self._messages: dict[int, tuple[str, bytes]] = {}
        self._ended: deque[bytes] = deque(maxlen=REMEMBERED_MESSAGES)
        self._limit: int | None = None
        self._beat_at_s = 0.0
        self._grace_s = 0.0
        self._lost_at_s = math.inf
        self._changed = asyncio.Event()
        self._added = asyncio.Event()

    @property
    def key(self) -> str:
        """Key of the list that holds them."""
        return keys.taken(self.worker)

    @property
    def in_hand(self) -> int:
        """Messages that are taken and not finished, those that wait in line for a slot among them."""
        return len(self._messages)

    @property
    def has_room(self) -> bool:
        """Whether one more may be taken: the worker is ready, its loop works, and it is below its limit."""
        if self._limit is None or time.monotonic() - self._beat_at_s > STUCK_AFTER_S + self._grace_s:
            return False
        return not self._limit or len(self._messages) - self.count_in_line() < self._limit

    def begin(self, queues: Iterable[str]) -> None:
        """Keep the messages of these queues."""
        self.queues = tuple(queues)
        self.worker = worker_heartbeats.worker_id(self.queues)

    def connect(self, loop: LoopThread, redis: RedisClient) -> None:
        """Use a loop and its client; the worker is not ready yet."""
        self._loop, self._redis = loop, redis

    def limit(self, count: int) -> None:
        """Take so many at once, any number where it is 0."""
        self._limit = count
        self._changed.set()

    def notice_room(self) -> None:
        """Look again whether one more may be taken."""
        self._changed.set()

    async def wait_for_room(self) -> None:
        """Return when one more may be taken."""
        while not self.has_room:
            self._changed.clear()
            await self._changed.wait()

    def add(self, queue: str, message: bytes) -> int:
        """Return the number of a message that was taken from a queue."""
        self.total += 1
        number = self.total
        self._messages[number] = queue, message
        self._added.set()
        return number

    async def recover(self, queue: str) -> None:
        """Give back messages of a queue that Redis moved here without this process learning of it.

        For a reader that has just reached Redis again: the answer to its last command may be lost. Or Redis,
        with the end of its file, lost that a message ended; such a one is taken away.

        Raises:
            StateError: Redis is out of reach.
        """
        known = Counter(message for _, message in self._messages.values())
        for message in await self._redis.execute("LRANGE", self.key, 0, -1):
            known[message] -= 1
            if known[message] >= 0 or _queue_of(message) != queue:
                continue
            if message in self._ended:
                worker_heartbeats.end_message(self._redis, self.worker, message)
            else:
                worker_heartbeats.give_back_message(self._redis, self.worker, queue, message)

    def end(self, number: int, *, again: bool = False) -> None:
        """End a message whose task is over, or was none; called from any thread.

        Args:
            number: of the message; one that has ended already is left.
            again: it goes back to its queue.
        """
        self._loop.call_on_loop(self._end, number, again)

    def give_back(self) -> None:
        """Return to their queues what is still taken, when all tasks that ran are over."""
        for number in tuple(self._messages):
            self._end(number, again=True)

    async def follow(self) -> None:
        """Send heartbeats, until the worker stops; fewer while nothing is in hand."""
        beating: asyncio.Task[None] | None = None
        try:
            while True:
                self._beat_at_s = time.monotonic()
                self._grace_s = 0.0 if self._messages else worker_heartbeats.IDLE_GRACE_S
                self._added.clear()
                self._changed.set()
                if beating is None or beating.done():  # while Redis is unreachable one of them waits
                    beating = asyncio.get_running_loop().create_task(self._beat())
                await self._next_beat()
        finally:
            if beating is not None:
                beating.cancel()
            worker_heartbeats.leave(self._redis, self.worker)

    async def _next_beat(self) -> None:
        """Return when the next heartbeat is due: that of an idle worker as soon as it takes a message."""
        await asyncio.sleep(worker_heartbeats.BEAT_INTERVAL_S)
        if self._grace_s:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._added.wait(), self._grace_s)

    async def _beat(self) -> None:
        grace_s = self._grace_s
        with suppress(StateError):
            missed = await worker_heartbeats.beat(self._redis, self.worker, grace_s=grace_s)
            now_s = time.monotonic()
            if now_s > self._lost_at_s:
                self._show_work()
            self._lost_at_s = now_s + worker_heartbeats.LOST_AFTER_S + grace_s
            self.on_missed(missed)

    def _show_work(self) -> None:
        """Tell fronts what is still in hand: this worker was late to show life, and counts as lost there."""
        for _, message in self._messages.values():
            if (found := chains.stage_reply(message, "waiting")) is not None:
                stream, reply = found
                replies.send(self._redis, stream, reply)

    def _end(self, number: int, again: bool) -> None:  # noqa: FBT001  passed on by position
        queue, message = self._messages.pop(number, ("", b""))
        if not queue:
            return
        if again:
            worker_heartbeats.give_back_message(self._redis, self.worker, queue, message)
        else:
            self._ended.append(message)
            worker_heartbeats.end_message(self._redis, self.worker, message)
        self._changed.set()


def _queue_of(message: bytes) -> str:
    """Return the queue that a message was sent to; empty for one that is none of Celery's."""
    try:
        return str(json.loads(message)["properties"]["delivery_info"]["routing_key"])
    except (ValueError, KeyError, TypeError):
        return ""


TAKEN: Final = TakenMessages()

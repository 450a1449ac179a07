"""The ear of a worker: barge-ins, slots that became free, answers of devices, catalogues put in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis.asyncio import Redis

from dispatcher.redis_client import keys
from dispatcher.redis_client.pubsub import hear


class Cancels:
    """Which coroutines work for which turn, and the subscription that ends them."""

    def __init__(
        self,
        client: Redis,
        *,
        on_freed: Callable[[str], None],
        on_answered: Callable[[str], None],
        on_reloaded: Callable[[], None],
    ) -> None:
        """Use a connection of its own, since a subscription occupies it.

        Args:
            client: the connection.
            on_freed: called with the lease id of the call whose turn it is, whichever process it is in.
            on_answered: called with the id of a tool's call that was answered, whoever made it.
            on_reloaded: called when a catalogue was, or may have been, put in force.
        """
        self._client = client
        self._on_freed = on_freed
        self._on_answered = on_answered
        self._on_reloaded = on_reloaded
        self._running: dict[str, set[asyncio.Task[object]]] = {}

    @contextmanager
    def guard(self, turn_id: str) -> Iterator[None]:
        """Let a barge-in cancel the running coroutine while the block lasts."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("guard() belongs inside a coroutine")
        tasks = self._running.setdefault(turn_id, set())
        tasks.add(task)
        try:
            yield
        finally:
            tasks.discard(task)
            if not tasks:
                self._running.pop(turn_id, None)

    async def listen(self) -> None:
        """Cancel what works for each turn that is named on the channel, for ever."""
        channels = (keys.CANCEL_CHANNEL, keys.FREED_CHANNEL, keys.ANSWERED_CHANNEL, keys.RELOADED_CHANNEL)
        async for channel, about in hear(self._client, *channels, on_listening=self._on_reloaded):
            self._on_message(channel, about)

    def _on_message(self, channel: str, about: str) -> None:
        if channel == keys.FREED_CHANNEL:
            self._on_freed(about)
        elif channel == keys.ANSWERED_CHANNEL:
            self._on_answered(about)
        elif channel == keys.RELOADED_CHANNEL:
            self._on_reloaded()
        else:
            for task in self._running.get(about, ()):
                task.cancel()

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

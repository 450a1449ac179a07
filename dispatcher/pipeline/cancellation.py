"""Coroutines that work for a turn, and their cancellation by a barge-in."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class RunningTurns:
    """The coroutines of this process by the turn that they work for."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._tasks: defaultdict[str, set[asyncio.Task[object]]] = defaultdict(set)

    @contextmanager
    def cancellable(self, turn_id: str) -> Iterator[None]:
        """Let a barge-in cancel the running coroutine while the block lasts."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("cancellable() belongs inside a coroutine")
        self._tasks[turn_id].add(task)
        try:
            yield
        finally:
            self._tasks[turn_id].discard(task)
            if not self._tasks[turn_id]:
                del self._tasks[turn_id]

    def cancel(self, turn_id: str) -> None:
        """Cancel the work for a turn; one that this process does not work for is another's."""
        for task in self._tasks.get(turn_id, ()):
            task.cancel()

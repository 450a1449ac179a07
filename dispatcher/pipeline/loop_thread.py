"""Event loop on a thread of its own: tasks of a worker run coroutines on it, which a barge-in cancels.

One loop for a process holds what its calls share. Measured against a client per task: 19 ms of CPU less per
turn. A task that only waits needs no thread either: it runs in a greenlet of the loop's thread, and what it
waits for is awaited by the coroutine that called it (docs/adr/0031-tasks-run-on-the-loop.md).
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from greenlet import getcurrent, greenlet

from dispatcher.errors import NO_ANSWER, TurnCancelled
from dispatcher.event_loop import new_event_loop

Result = TypeVar("Result")

LOOP_START_TIMEOUT_S: Final = 10.0
# A task waits a little longer than its own deadline, so that the loop is the one to say why.
DEADLINE_GRACE_S: Final = 2.0


class _Call(greenlet):  # type: ignore[misc]
    """A function that runs on the loop's thread and waits by `LoopThread.run`."""


class LoopThread:
    """A running event loop, and the background tasks that end with it."""

    def __init__(self) -> None:
        """Start the loop."""
        self._loop = new_event_loop()
        self._background: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on the loop's thread."""
        return threading.get_ident() == self._thread.ident

    def run(self, work: Coroutine[Any, Any, Result], *, timeout_s: float | None) -> Result:
        """Run a coroutine on the loop and wait for it; called from a task's thread, or within `call`.

        Args:
            work: what to run.
            timeout_s: how long it may take, but for a grace; None for any time.

        Raises:
            TurnCancelled: a barge-in ended it.
            TimeoutError: it did not end in time; it is cancelled.
        """
        bound_s = None if timeout_s is None else timeout_s + DEADLINE_GRACE_S
        current = getcurrent()
        if isinstance(current, _Call):
            return _lend(current, work, bound_s)
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(bound_s)
        except CancelledError as error:
            raise TurnCancelled("barge-in") from error
        except TimeoutError as error:
            future.cancel()
            raise TimeoutError(str(error) or NO_ANSWER) from error

    async def call(
        self,
        function: Callable[..., Result],
        *arguments: Any,
        interrupt_after_s: float | None = None,
        interruption: Callable[[], Exception] = TimeoutError,
    ) -> Result:
        """Return what a function returns that waits by `run` alone; others of the loop go on meanwhile.

        What it waits for after `interrupt_after_s` is cancelled, and raises what `interruption` returns.
        """
        interrupt_at = None if interrupt_after_s is None else self._loop.time() + interrupt_after_s
        call = _Call(function)
        call.gr_context = getcurrent().gr_context  # what it binds is bound in what it waits for
        outcome: Any = call.switch(*arguments)
        while not call.dead:
            limit = asyncio.timeout_at(interrupt_at)
            try:
                async with limit:
                    result = await outcome
            except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
                outcome = call.throw(interruption() if limit.expired() else error)
            else:
                outcome = call.switch(result)
        return outcome  # type: ignore[no-any-return]

    def call_on_loop(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function on the loop's thread: at once where that is the caller's, soon otherwise."""
        if self.is_current:
            function(*arguments)
        else:
            self._loop.call_soon_threadsafe(function, *arguments)

    def create_task(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Return a task of the loop; called on it."""
        return self._loop.create_task(work)

    def keep_running(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the tasks until the loop stops; called from any thread."""
        self._loop.call_soon_threadsafe(self.spawn, work)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the tasks until the loop stops; called on the loop."""
        self.keep(self._loop.create_task(work))

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Let a task of this loop go on after what started it; it ends with the loop."""
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def stop(self, closing: Coroutine[Any, Any, None]) -> None:
        """Cancel the background tasks, run `closing`, and end loop and thread."""
        asyncio.run_coroutine_threadsafe(self._close(closing), self._loop).result(LOOP_START_TIMEOUT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LOOP_START_TIMEOUT_S)
        if not self._thread.is_alive():
            self._loop.close()

    async def _close(self, closing: Coroutine[Any, Any, None]) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await closing


def _lend(call: _Call, work: Coroutine[Any, Any, Result], bound_s: float | None) -> Result:
    """Have the coroutine that called a function await for it; errors as in `LoopThread.run`."""
    if call.parent is None:
        raise RuntimeError("a call has the loop as its parent")
    try:
        result: Result = call.parent.switch(_bounded(work, bound_s))
    except asyncio.CancelledError as error:
        # The function goes on, and with it the task that it runs in.
        if task := asyncio.current_task():
            task.uncancel()
        raise TurnCancelled("barge-in") from error
    except TimeoutError as error:
        raise TimeoutError(str(error) or NO_ANSWER) from error
    return result


async def _bounded(work: Coroutine[Any, Any, Result], bound_s: float | None) -> Result:
    async with asyncio.timeout(bound_s):
        return await work


class CancellableTurns:
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

"""Threads for tasks: as many as run at once, and few again some time after an overload."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple

# Longer than the pause between two turns of a home, short enough that an overload is not paid for all night.
IDLE_TIMEOUT_S: Final = 30.0


class _Work(NamedTuple):
    """A call and the future of its result."""

    future: Future[Any]
    call: Callable[[], Any]

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.call()
        except BaseException as error:  # noqa: BLE001  it is raised where the result is asked for
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class ElasticThreads:
    """Executor with a limit that can move while calls run, and threads that end when they are idle.

    That of the standard library has neither. Work goes to the thread that became idle last, so that the
    others stay idle for long enough to end, however often a turn comes.
    """

    def __init__(self, *, limit: int, idle_timeout_s: float = IDLE_TIMEOUT_S) -> None:
        """Start nothing yet; beyond so many calls at once work waits."""
        self._limit = limit
        self._idle_timeout_s = idle_timeout_s
        self._lock = threading.Lock()
        self._waiting: deque[_Work] = deque()
        self._running = 0
        self._idle: list[SimpleQueue[_Work | None]] = []
        self._threads: set[threading.Thread] = set()
        self._is_shut_down = False

    @property
    def count(self) -> int:
        """How many threads there are."""
        return len(self._threads)

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run a call as soon as fewer than the limit run.

        Raises:
            RuntimeError: it is shut down.
        """
        work = _Work(Future(), partial(call, *arguments))
        with self._lock:
            if self._is_shut_down:
                raise RuntimeError("no task is taken any more: the worker stops")
            self._waiting.append(work)
            self._hand_out()
        return work.future

    def resize(self, limit: int) -> None:
        """Let so many calls run at once; those that run already end in peace."""
        with self._lock:
            self._limit = limit
            self._hand_out()

    def shutdown(self) -> None:
        """Take nothing more, cancel what waits, and wait for what runs."""
        with self._lock:
            self._is_shut_down = True
            waiting, self._waiting = self._waiting, deque()
            for inbox in self._idle:
                inbox.put(None)
            self._idle = []
            threads = list(self._threads)
        for work in waiting:
            work.future.cancel()
        for thread in threads:
            thread.join()

    def _hand_out(self) -> None:
        """Give what waits to idle or new threads, within the limit."""
        while self._waiting and self._running < self._limit:
            if self._idle:
                self._idle.pop().put(self._waiting.popleft())
            elif not self._start_thread():
                return
            self._running += 1

    def _start_thread(self) -> bool:
        """Start a thread with the first that waits; return whether the system gives one more."""
        thread = threading.Thread(target=self._serve, args=(self._waiting[0],), name="task", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._threads:
                self._waiting.popleft()
                raise
            return False  # one of the others takes it when it is done
        self._waiting.popleft()
        self._threads.add(thread)
        return True

    def _serve(self, work: _Work | None) -> None:
        """Run one work after the other, until none comes."""
        inbox: SimpleQueue[_Work | None] = SimpleQueue()
        while work is not None:
            work.run()
            work = None  # what it holds may go while this thread is idle
            work = self._next(inbox)
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _next(self, inbox: SimpleQueue[_Work | None]) -> _Work | None:
        with self._lock:
            self._running -= 1
            if self._waiting and self._running < self._limit:
                self._running += 1
                return self._waiting.popleft()
            if self._is_shut_down:
                return None
            self._idle.append(inbox)
        try:
            return inbox.get(timeout=self._idle_timeout_s)
        except Empty:
            with self._lock:
                if inbox in self._idle:
                    self._idle.remove(inbox)
                    return None
            return inbox.get()  # it was given work at the very moment

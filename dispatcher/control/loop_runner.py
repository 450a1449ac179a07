"""The event loop of a worker process, as a task's thread uses it; `pipeline.worker_context` has it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from dispatcher.redis_client.client import RedisClient

Result = TypeVar("Result")


class LoopRunner(Protocol):
    """A client of Redis and the loop that it belongs to."""

    @property
    def redis(self) -> RedisClient:
        """Client of the shared state."""

    def run(self, work: Coroutine[Any, Any, Result], *, timeout_s: float) -> Result:
        """Run a coroutine on the loop and wait for it.

        Raises:
            TimeoutError: it did not end in time; it is cancelled.
        """

    def keep_running(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something on the loop until the worker stops."""

"""The engine that an instance serves: whether it is loaded, calls in flight, use of the host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from dispatcher.bundled.engines import Engine, RemoteEngine, Service
from dispatcher.bundled.request_errors import RequestError
from dispatcher.host_metrics.process import OwnProcess


class ServedEngine:
    """State that the routes of one instance share."""

    def __init__(self, *, service: Service, engine_name: str) -> None:
        """Start without an engine: it loads while the port is already open."""
        self.service = service
        self.engine_name = engine_name
        self.engine: Engine | None = None
        self.in_flight = 0
        self._process = psutil.Process()
        self._use = OwnProcess()

    def loaded(self) -> Engine:
        """Return the engine.

        Raises:
            RequestError: it is still loading.
        """
        if self.engine is None:
            raise RequestError.busy(f"{self.engine_name} is still loading")
        return self.engine

    @contextmanager
    def call(self) -> Iterator[Any]:
        """Lend the engine, which is one of the service, for a call in flight until the block ends.

        Raises:
            RequestError: it is still loading.
        """
        engine = self.loaded()
        self.in_flight += 1
        try:
            yield engine
        finally:
            self.in_flight -= 1

    async def health(self) -> dict[str, Any]:
        """Return the body of /health; `reason` says why what works elsewhere is failing.

        `cpu` and `memory` are what this process uses of what it may use, 0..1; `cpu` counts since the last
        request, and is null until there was time to count.
        """
        problem = await self.engine.problem() if isinstance(self.engine, RemoteEngine) else ""
        status = "loading" if self.engine is None else "failing" if problem else "ok"
        return {
            "status": status,
            **({"reason": problem} if problem else {}),
            "service": self.service,
            "engine": self.engine_name,
            "in_flight": self.in_flight,
            "cpu": self._use.cpu_ratio(),
            "memory": self._use.memory_ratio(),
            "memory_bytes": self._process.memory_info().rss,
        }

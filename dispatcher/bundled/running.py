"""One running instance: its engine once loaded, the calls in flight, what its process uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import psutil

from dispatcher.bundled.engines import Engine, Service
from dispatcher.bundled.refusals import RequestRefused
from dispatcher.host_metrics.process import OwnProcess

Kind = TypeVar("Kind", bound=Engine)


class Running(Generic[Kind]):
    """What the routes of one instance share."""

    def __init__(self, *, service: Service, engine_name: str) -> None:
        """Start without an engine: it loads while the port is already open."""
        self.service = service
        self.engine_name = engine_name
        self.engine: Kind | None = None
        self.in_flight = 0
        self._process = psutil.Process()
        self._use = OwnProcess()

    @contextmanager
    def call(self) -> Iterator[Kind]:
        """Lend the engine for one call, which counts as in flight until the block ends.

        Raises:
            RequestRefused: the engine is still loading.
        """
        if self.engine is None:
            raise RequestRefused.busy(f"{self.engine_name} is still loading")
        self.in_flight += 1
        try:
            yield self.engine
        finally:
            self.in_flight -= 1

    def health(self) -> dict[str, Any]:
        """Return what /health says.

        `cpu` and `memory` are what this process uses of what it may use, 0..1; `cpu` counts since the last
        question, and is null until there was time to count.
        """
        return {
            "status": "loading" if self.engine is None else "ok",
            "service": self.service,
            "engine": self.engine_name,
            "in_flight": self.in_flight,
            "cpu": self._use.cpu_ratio(),
            "memory": self._use.memory_ratio(),
            "memory_bytes": self._process.memory_info().rss,
        }

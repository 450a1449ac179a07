"""The engine that an instance serves: its route, whether it is loaded, calls in flight, use of the host."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import psutil
from aiohttp import web

from dispatcher.bundled.engines import Engine, RemoteEngine, Service
from dispatcher.bundled.request_errors import RequestError
from dispatcher.host_metrics.process import OwnProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRoute:
    """The one POST route of a service.

    Attributes:
        path: its address.
        max_body_bytes: of a request.
        answer: makes the response to a request with the engine, which is one of the service.
    """

    path: str
    max_body_bytes: int
    answer: Callable[[Any, web.Request], Awaitable[web.StreamResponse]]


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

    async def answer(self, route: ServiceRoute, request: web.Request) -> web.StreamResponse:
        """Return the response of the engine to a request, which counts as in flight meanwhile.

        Raises:
            RequestError: it is still loading, or the request is wrong.
        """
        engine = self.loaded()
        self.in_flight += 1
        try:
            return await route.answer(engine, request)
        finally:
            self.in_flight -= 1

    async def models(self, _: web.Request) -> web.Response:
        """Return the one model there is."""
        model = {"id": self.loaded().model, "object": "model", "created": 0, "owned_by": "built-in"}
        return web.json_response({"object": "list", "data": [model]})

    async def health(self, _: web.Request) -> web.Response:
        """Return the state of the instance: 503 while it loads or fails; `reason` says why it fails.

        `cpu` and `memory` are what this process uses of what it may use, 0..1; `cpu` counts since the last
        request, and is null until there was time to count.
        """
        problem = await self.engine.problem() if isinstance(self.engine, RemoteEngine) else ""
        status = "loading" if self.engine is None else "failing" if problem else "ok"
        body = {
            "status": status,
            **({"reason": problem} if problem else {}),
            "service": self.service,
            "engine": self.engine_name,
            "in_flight": self.in_flight,
            "cpu": self._use.cpu_ratio(),
            "memory": self._use.memory_ratio(),
            "memory_bytes": self._process.memory_info().rss,
        }
        return web.json_response(body, status=200 if status == "ok" else 503)

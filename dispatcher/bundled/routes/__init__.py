"""The HTTP side of an instance: one module per service, and what all of them answer."""

from __future__ import annotations

from typing import Any, cast

from aiohttp import web

from dispatcher.bundled.engines import AsrEngine, Engine, LlmEngine, TtsEngine
from dispatcher.bundled.refusals import RequestRefused, answer_errors
from dispatcher.bundled.routes.asr import AsrRoutes
from dispatcher.bundled.routes.faults import FaultRoutes, injected
from dispatcher.bundled.routes.llm import LlmRoutes
from dispatcher.bundled.routes.tts import TtsRoutes
from dispatcher.bundled.running import Running
from dispatcher.bundled.timed.faults import Faults


def build_app(running: Running[Engine], faults: Faults | None = None) -> web.Application:
    """Return the application of an instance; `faults` adds the switch that makes it fail."""
    service_routes = _service_routes(running)
    middlewares = [answer_errors] if faults is None else [injected(faults), answer_errors]
    app = web.Application(middlewares=middlewares, client_max_size=service_routes.MAX_BODY_BYTES)
    service_routes.add_to(app)
    common = CommonRoutes(running)
    app.router.add_get("/health", common.health)
    app.router.add_get("/v1/models", common.models)
    if faults is not None:
        FaultRoutes(faults).add_to(app)
    return app


class CommonRoutes:
    """What every instance answers."""

    def __init__(self, running: Running[Engine]) -> None:
        """Tell about this instance."""
        self._running = running

    async def health(self, _: web.Request) -> web.Response:
        """Answer how the instance is; 503 until its engine is loaded."""
        return web.json_response(self._running.health(), status=503 if self._running.engine is None else 200)

    async def models(self, _: web.Request) -> web.Response:
        """Answer the one model there is."""
        if self._running.engine is None:
            raise RequestRefused.busy(f"{self._running.engine_name} is still loading")
        model: dict[str, Any] = {
            "id": self._running.engine.model,
            "object": "model",
            "created": 0,
            "owned_by": "built-in",
        }
        return web.json_response({"object": "list", "data": [model]})


def _service_routes(running: Running[Engine]) -> AsrRoutes | LlmRoutes | TtsRoutes:
    # The registry only knows engines of the service; the type of Running cannot say so.
    match running.service:
        case "asr":
            return AsrRoutes(cast("Running[AsrEngine]", running))
        case "llm":
            return LlmRoutes(cast("Running[LlmEngine]", running))
        case "tts":
            return TtsRoutes(cast("Running[TtsEngine]", running))

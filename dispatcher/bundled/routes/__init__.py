"""HTTP routes of an instance: those of its service, of every service, and of its fault switch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from dispatcher.bundled.engines import Service
from dispatcher.bundled.fault_setting import FaultSetting
from dispatcher.bundled.request_errors import answer_errors
from dispatcher.bundled.routes.chat import ChatRoute
from dispatcher.bundled.routes.fault_routes import FaultRoutes, inject_faults
from dispatcher.bundled.routes.speech_synthesis import SpeechRoute
from dispatcher.bundled.routes.transcription import TranscriptionRoute
from dispatcher.bundled.served_engine import ServedEngine

_SERVICE_ROUTES: Final[Mapping[Service, type[ChatRoute | SpeechRoute | TranscriptionRoute]]] = {
    "asr": TranscriptionRoute,
    "llm": ChatRoute,
    "tts": SpeechRoute,
}


def build_app(served: ServedEngine, switch: FaultSetting | None = None) -> web.Application:
    """Return the application of an instance; the switch makes it fail."""
    route = _SERVICE_ROUTES[served.service](served)
    middlewares = [answer_errors] if switch is None else [inject_faults(switch), answer_errors]
    app = web.Application(middlewares=middlewares, client_max_size=route.MAX_BODY_BYTES)
    app.router.add_post(route.PATH, route.answer)
    common = CommonRoutes(served)
    app.router.add_get("/health", common.health)
    app.router.add_get("/v1/models", common.models)
    if switch is not None:
        FaultRoutes(switch).add_to(app)
    return app


class CommonRoutes:
    """Routes of every instance."""

    def __init__(self, served: ServedEngine) -> None:
        """Answer about this engine."""
        self._served = served

    async def health(self, _: web.Request) -> web.Response:
        """Answer the state of the instance; 503 until its engine is loaded, and while it cannot work."""
        health = await self._served.health()
        return web.json_response(health, status=200 if health["status"] == "ok" else 503)

    async def models(self, _: web.Request) -> web.Response:
        """Answer the one model there is."""
        name = self._served.loaded().model
        model = {"id": name, "object": "model", "created": 0, "owned_by": "built-in"}
        return web.json_response({"object": "list", "data": [model]})

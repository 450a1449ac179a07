"""HTTP routes of an instance: those of its service, of every service, and of its fault switch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from aiohttp import web

from dispatcher.bundled.engines import Service
from dispatcher.bundled.fault_setting import FaultSetting
from dispatcher.bundled.request_errors import answer_errors
from dispatcher.bundled.routes.chat import CHAT
from dispatcher.bundled.routes.fault_routes import FaultRoutes, inject_faults
from dispatcher.bundled.routes.speech_synthesis import SPEECH
from dispatcher.bundled.routes.transcription import TRANSCRIPTION
from dispatcher.bundled.served_engine import ServedEngine, ServiceRoute

_SERVICE_ROUTES: Final[Mapping[Service, ServiceRoute]] = {"asr": TRANSCRIPTION, "llm": CHAT, "tts": SPEECH}


def build_app(served: ServedEngine, switch: FaultSetting | None = None) -> web.Application:
    """Return the application of an instance; the switch makes it fail."""
    route = _SERVICE_ROUTES[served.service]
    middlewares = [answer_errors] if switch is None else [inject_faults(switch), answer_errors]
    app = web.Application(middlewares=middlewares, client_max_size=route.max_body_bytes)
    app.router.add_post(route.path, partial(served.answer, route))
    app.router.add_get("/health", served.health)
    app.router.add_get("/v1/models", served.models)
    if switch is not None:
        FaultRoutes(switch).add_to(app)
    return app

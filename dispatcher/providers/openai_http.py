"""Servers of the OpenAI dialect: Ollama, vLLM, llama.cpp, DashScope, faster-whisper servers and our own.

Requests, models and health checks; the calls of each service are in `asr`, `llm` and `tts`.
Source: OpenAI API reference.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from yarl import URL

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceBusy, InstanceError, InstanceUnreachable
from dispatcher.providers.http import CHECK_TIMEOUT_S, read_bounded, request, wire_errors
from dispatcher.providers.load_report import read_load_report
from dispatcher.providers.model_lists import names_in
from dispatcher.providers.negotiation import RefusedParameters
from dispatcher.providers.protocols import LoadReport

DEFAULT_MODELS: Final = {"asr": "whisper-1", "llm": "default", "tts": "tts-1"}
# Refusals of transcriptions and speech that name no parameter.
MAX_GUESSES: Final = 2


class OpenAiServer:
    """Checks servers of the OpenAI dialect, and posts requests to them.

    Attributes:
        refused: the optional parameters that instances refuse.
    """

    def __init__(self, session: aiohttp.ClientSession, refused: RefusedParameters | None = None) -> None:
        """Use the session of the running loop, which the caller closes, and what instances refuse."""
        self._session = session
        self.refused = refused or RefusedParameters()

    async def check(self, instance: Instance) -> LoadReport:
        """Return what /health reports, or nothing where /models has to answer in its place."""
        async with wire_errors(instance), asyncio.timeout(CHECK_TIMEOUT_S):
            try:
                health = str(URL(instance.endpoint).with_path("/health"))
                async with request(self._session, instance, "GET", health) as response:
                    return await read_load_report(instance, response)
            except (InstanceUnreachable, InstanceBusy):
                raise
            except InstanceError:
                async with request(self._session, instance, "GET", instance.endpoint + "/models"):
                    return LoadReport()

    async def models(self, instance: Instance) -> Sequence[str] | None:
        """Return the names in /models."""
        url = instance.endpoint + "/models"
        async with asyncio.timeout(CHECK_TIMEOUT_S), request(self._session, instance, "GET", url) as response:
            return names_in(await read_bounded(instance, response))

    @asynccontextmanager
    async def post(self, instance: Instance, path: str, **body: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """Post to a path below the endpoint; errors as in `request`."""
        async with request(self._session, instance, "POST", instance.endpoint + path, **body) as response:
            yield response


def model_of(instance: Instance) -> str:
    """Return the model that requests name."""
    return instance.model or DEFAULT_MODELS[instance.service]

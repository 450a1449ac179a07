"""The server that the tests of providers talk to."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from edge_tts import communicate

from dispatcher.providers.http import new_session
from dispatcher.providers.registry import Providers
from tests.support.services import cosyvoice, volcano, xfyun
from tests.support.services.openai import FakeOpenAi, serving_openai
from tests.support.services.socket_server import SocketServer, serving_sockets
from tests.unit.providers.tts.tts_services import KEYS, Serve, Voice


@pytest.fixture
async def openai() -> AsyncGenerator[FakeOpenAi]:
    """A server on a free port that knows no path yet."""
    async with serving_openai() as running:
        yield running


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serve a dialect; its keys are in the environment, and the Edge library is led to the fake."""
    monkeypatch.setenv("XF_KEY", xfyun.KEY)
    monkeypatch.setenv("XF_SECRET", xfyun.SECRET)
    monkeypatch.setenv("COSY_KEY", cosyvoice.KEY)
    monkeypatch.setenv("VOLC_TOKEN", volcano.TOKEN)
    monkeypatch.setenv("WRONG", "wrong")

    @asynccontextmanager
    async def serving(provider: str) -> AsyncGenerator[Voice]:
        kind, keys = KEYS[provider]
        async with kind.serving() as service:
            providers = Providers()
            voice = Voice(service, providers, {"provider": provider, **keys})
            monkeypatch.setattr(communicate, "WSS_URL", voice.service.url)
            try:
                yield voice
            finally:
                await providers.close()

    return serving


@pytest.fixture
async def sockets() -> AsyncGenerator[SocketServer]:
    """A WebSocket server on a free port."""
    async with serving_sockets() as running:
        yield running


@pytest.fixture
async def http_session() -> AsyncGenerator[aiohttp.ClientSession]:
    """The session that a provider uses."""
    async with new_session() as opened:
        yield opened

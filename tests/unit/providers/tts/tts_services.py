"""The services that speak, each in software, and the instances that providers take them for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceError
from dispatcher.providers.protocols import LoadReport
from dispatcher.providers.registry import Providers
from tests.support.services import cosyvoice, edge_tts, volcano, xfyun
from tests.support.services.fake_service import FakeService

TEXT = "现在是 noon 了。"


@dataclass
class Voice:
    """A service in software, and the instance that a provider takes it for."""

    service: Any
    providers: Providers
    keys: dict[str, Any]

    def instance(self, **other: Any) -> Instance:
        keys = {"endpoint": self.service.url, **self.keys, **other}
        return Instance(service="tts", name="tts-1", **keys)

    def speaks(self, **other: Any) -> AsyncGenerator[bytes, None]:
        instance = self.instance(**other)
        return self.providers.tts(instance).synthesize(instance, TEXT, "auto")

    async def check(self, **other: Any) -> LoadReport:
        instance = self.instance(**other)
        return await self.providers.of(instance).check(instance)


KEYS: dict[str, tuple[type[FakeService], dict[str, Any]]] = {
    "xfyun": (
        xfyun.FakeXfyun,
        {"app_id": xfyun.APP_ID, "api_key_env": "XF_KEY", "api_secret_env": "XF_SECRET"},
    ),
    "cosyvoice": (
        cosyvoice.FakeCosyVoice,
        {"model": "cosyvoice-v2", "voice": "longxiaochun_v2", "api_key_env": "COSY_KEY"},
    ),
    "volcano": (
        volcano.FakeVolcano,
        {"app_id": volcano.APP_ID, "voice": "BV001_streaming", "api_key_env": "VOLC_TOKEN"},
    ),
    "edge_tts": (edge_tts.FakeEdge, {}),
}
Serve = Callable[[str], AbstractAsyncContextManager[Voice]]


async def heard(stream: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([pcm async for pcm in stream])


async def fails(stream: AsyncGenerator[bytes, None]) -> tuple[bytes, InstanceError]:
    """Return what was heard before the error, and the error."""
    pieces: list[bytes] = []
    with pytest.raises(InstanceError) as raised:  # noqa: PT012  the loop is the call
        async for pcm in stream:
            pieces.append(pcm)  # noqa: PERF401  a comprehension would be lost with the error
    return b"".join(pieces), raised.value

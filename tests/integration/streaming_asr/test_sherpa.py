"""The real sherpa-onnx servers hear what they are sent; their models know one word for whatever is loud."""

from __future__ import annotations

import asyncio
import random
from array import array
from collections.abc import AsyncGenerator
from pathlib import Path

from dispatcher.catalogue.model import Instance
from dispatcher.providers.asr.sherpa_onnx import SherpaOnnx
from dispatcher.providers.asr.sherpa_onnx_offline import SherpaOnnxOffline
from dispatcher.providers.http import new_session
from dispatcher.providers.protocols import LoadReport
from dispatcher.recordings import recording
from tests.support.services.sherpa_onnx_process import Kind, SherpaProcess

DICE = random.Random(20_240_607)
# Noise: the mean over all bands is what the models go by.
SECOND = array("h", (DICE.randint(-8000, 8000) for _ in range(16_000))).tobytes()
PAUSE = bytes(16_000)


def started(kind: Kind, folder: Path) -> SherpaProcess:
    server = SherpaProcess(kind, folder)
    server.start()
    server.wait_until_ready()
    return server


def instance(server: SherpaProcess) -> Instance:
    return Instance(service="asr", name=server.name, endpoint=f"ws://127.0.0.1:{server.port}")


async def words_with_pauses(count: int) -> AsyncGenerator[bytes, None]:
    """Say so many stretches of sound."""
    for _ in range(count):
        yield SECOND + PAUSE
        await asyncio.sleep(0)


async def test_the_streaming_server_hears_while_it_is_spoken_to(tmp_path: Path) -> None:
    server = started("online", tmp_path)
    try:
        async with new_session() as session:
            provider = SherpaOnnx(session)
            assert await provider.check(instance(server)) == LoadReport()
            assert (
                await provider.transcribe_stream(instance(server), words_with_pauses(3), "en")
            ).text == "WORD WORD WORD"
            silence = await provider.transcribe_stream(instance(server), words_with_pauses(0), "en")
            spoken = await provider.transcribe(instance(server), recording("hello.wav"), "en")
        assert silence.text == ""
        assert set(spoken.text.split()) == {"WORD"}
    finally:
        server.stop()


async def test_the_other_server_hears_whole_utterances(tmp_path: Path) -> None:
    server = started("offline", tmp_path)
    try:
        async with new_session() as session:
            provider = SherpaOnnxOffline(session)
            assert await provider.check(instance(server)) == LoadReport()
            heard = await provider.transcribe(instance(server), recording("hello.wav"), "en")
        assert set(heard.text.split()) == {"WORD"}
    finally:
        server.stop()

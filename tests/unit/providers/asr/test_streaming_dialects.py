"""Streaming ASR by each dialect: the same promises, against each service in software."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.errors import (
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
    InstanceUnreachable,
    StateError,
)
from dispatcher.providers.asr import utterance_stream
from dispatcher.providers.asr.dashscope_asr import DashscopeAsr
from dispatcher.providers.asr.funasr import FunAsr
from dispatcher.providers.asr.sherpa_onnx import SherpaOnnx
from tests.support.processes import free_port
from tests.support.services.dashscope_asr import DashscopeServer
from tests.support.services.funasr import Fault, FunAsrServer
from tests.support.services.sherpa_onnx import SherpaServer
from tests.support.services.socket_server import SocketServer
from tests.support.waiting import WAIT_TIMEOUT_S, soon
from tests.unit.providers.asr.spoken_utterance import WAV, Speaker, says, tone


@dataclass
class Dialect:
    """A provider, the kind of its service, the shown part of each fault and the transcript of `WAV`."""

    provider: Any
    server: Any
    shown: dict[Fault, str]
    transcript: str


@pytest.fixture(params=["dashscope_asr", "funasr", "sherpa_onnx"])
def dialect(request: pytest.FixtureRequest, http_session: aiohttp.ClientSession) -> Dialect:
    dialects = {
        "dashscope_asr": (DashscopeAsr, DashscopeServer, ("resu", "3"), "今天天气怎么样？今天天气"),
        "funasr": (FunAsr, FunAsrServer, ("2pass-online", "17"), "今天天气怎么样。"),
        "sherpa_onnx": (SherpaOnnx, SherpaServer, ("WOR", "WORD"), "WORD WORD WORD"),
    }
    provider, server, (broken, types), transcript = dialects[request.param]
    shown: dict[Fault, str] = {
        "close": "closed the socket",
        "html": "It works!",
        "half": "not JSON",
        "broken": broken,
        "types": types,
    }
    return Dialect(provider(http_session), server, shown, transcript)


async def test_a_whole_utterance_is_transcribed(dialect: Dialect, sockets: SocketServer) -> None:
    sockets.talks(dialect.server().talk)
    found = await dialect.provider.transcribe(sockets.instance("asr"), WAV, "auto")
    assert found.text == dialect.transcript


@pytest.mark.parametrize("fault", ["close", "html", "broken", "half", "types"])
async def test_nonsense_is_the_fault_of_the_server_and_known_while_the_user_speaks(
    dialect: Dialect, sockets: SocketServer, fault: Fault
) -> None:
    sockets.talks(dialect.server(fault=fault).talk)
    speaker = Speaker((tone(700), tone(700)))
    with pytest.raises(InstanceFailed, match=dialect.shown[fault]):
        async with asyncio.timeout(WAIT_TIMEOUT_S):
            await dialect.provider.transcribe_stream(sockets.instance("asr"), speaker.speech(), "auto")


# One of FunASR's servers answers silence with silence: test_funasr.py tells the two apart.
@pytest.mark.parametrize("dialect", ["dashscope_asr", "sherpa_onnx"], indirect=True)
async def test_a_server_without_a_last_text_is_left(
    dialect: Dialect, sockets: SocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wait in ("receive", "receive_object"):
        method = getattr(utterance_stream.UtteranceStream, wait)
        monkeypatch.setattr(method, "__kwdefaults__", {"within_s": 0.2})
    sockets.talks(dialect.server(fault="hang").talk)
    with pytest.raises(InstanceUnreachable, match="no transcript"):
        await dialect.provider.transcribe_stream(sockets.instance("asr"), says(tone(700)), "auto")


async def test_words_flow_to_the_server_before_the_rest_was_said(
    dialect: Dialect, sockets: SocketServer
) -> None:
    server = dialect.server()
    sockets.talks(server.talk)
    speaker = Speaker((tone(900), tone(900)))
    call = asyncio.create_task(
        dialect.provider.transcribe_stream(sockets.instance("asr"), speaker.speech(), "auto")
    )
    await soon(lambda: _has_speech(server), what="the first part arrives")
    assert not call.done()
    speaker.goes_on.set()
    assert (await call).text == dialect.transcript


async def _has_speech(server: Any) -> bool:
    sizes = server.heard[0].sizes if isinstance(server, FunAsrServer) and server.heard else None
    return bool(sizes or getattr(server, "sizes", None) or getattr(server, "samples", None))


async def test_speech_that_breaks_off_is_not_the_fault_of_the_server(
    dialect: Dialect, sockets: SocketServer
) -> None:
    sockets.talks(dialect.server().talk)
    speaker = Speaker((tone(600),), breaks_off=True)
    speaker.goes_on.set()
    with pytest.raises(StateError, match="lost"):
        await dialect.provider.transcribe_stream(sockets.instance("asr"), speaker.speech(), "auto")


async def test_a_call_that_is_cancelled_closes_the_socket(dialect: Dialect, sockets: SocketServer) -> None:
    server = dialect.server()
    sockets.talks(server.talk)
    speaker = Speaker((tone(600), tone(600)))
    call = asyncio.create_task(
        dialect.provider.transcribe_stream(sockets.instance("asr"), speaker.speech(), "auto")
    )
    await soon(lambda: _has_speech(server), what="the first part arrives")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(WAIT_TIMEOUT_S):
        await sockets.gone.wait()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, InstanceForbidden), (403, InstanceForbidden), (429, InstanceBusy), (500, InstanceFailed)],
)
async def test_a_refused_handshake_says_whose_fault_it_is(
    dialect: Dialect, sockets: SocketServer, status: int, kind: type[InstanceError]
) -> None:
    sockets.refuses(status, "InvalidApiKey")
    with pytest.raises(kind, match="InvalidApiKey"):
        await dialect.provider.transcribe_stream(sockets.instance("asr"), says(tone(600)), "auto")
    with pytest.raises(kind):
        await dialect.provider.check(sockets.instance("asr"))


async def test_a_key_travels_as_a_bearer_header(
    dialect: Dialect, sockets: SocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASR_KEY", "secret")
    sockets.talks(dialect.server().talk)
    await dialect.provider.transcribe(sockets.instance("asr", api_key_env="ASR_KEY"), WAV, "auto")
    assert sockets.requests[0].headers["Authorization"] == "Bearer secret"


async def test_an_address_without_a_server_is_unreachable(dialect: Dialect) -> None:
    nowhere = Instance(service="asr", name="asr-1", endpoint=f"ws://127.0.0.1:{free_port()}")
    with pytest.raises(InstanceUnreachable):
        await dialect.provider.check(nowhere)
    with pytest.raises(InstanceUnreachable):
        await dialect.provider.transcribe_stream(nowhere, says(tone(60)), "auto")

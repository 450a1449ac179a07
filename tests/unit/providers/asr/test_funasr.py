"""FunASR's two servers, as their sources say what they say, well and badly."""

from __future__ import annotations

from typing import get_args

import aiohttp
import pytest
from aiohttp import web

from dispatcher.errors import (
    InstanceFailed,
    InstanceUnreachable,
)
from dispatcher.providers.asr import funasr
from dispatcher.providers.asr.funasr import FUNASR_SLICE_BYTES, FunAsr
from dispatcher.providers.protocols import LoadReport
from tests.support.services.funasr import Flavour, FunAsrServer
from tests.support.services.socket_server import SocketServer
from tests.unit.providers.asr.spoken_utterance import says, tone


@pytest.fixture
def provider(http_session: aiohttp.ClientSession) -> FunAsr:
    return FunAsr(http_session)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(funasr, "NO_TEXT_TIMEOUT_S", 0.3)


@pytest.fixture(params=get_args(Flavour))
def server(request: pytest.FixtureRequest, sockets: SocketServer) -> FunAsrServer:
    """Either server; both refuse what is no handshake."""
    server = FunAsrServer(flavour=request.param)
    serve(sockets, server)
    return server


def serve(sockets: SocketServer, server: FunAsrServer) -> None:
    """Serve sockets by this server, and refuse plain requests as a WebSocket server does."""
    sockets.talks(server.talk)
    accept = sockets._handler
    assert accept is not None
    name = "WebSocket++/0.8.2" if server.flavour == "cpp" else "Python/3.11 websockets/15.0"

    async def handler(request: web.Request) -> web.StreamResponse:
        if "Upgrade" not in request.headers:
            return web.Response(status=426, headers={"Server": name})
        return await accept(request)

    sockets._handler = handler


async def test_the_text_of_the_second_pass_is_the_transcript(
    provider: FunAsr, sockets: SocketServer, server: FunAsrServer
) -> None:
    heard = await provider.transcribe_stream(
        sockets.instance("asr"), says(tone(600), tone(1200), tone(100)), "zh"
    )
    assert (heard.text, heard.language) == ("今天天气怎么样。", "zh")
    (told,) = server.heard
    assert told.ended
    assert told.start["mode"] == "2pass"
    assert (told.start["audio_fs"], told.start["chunk_size"]) == (16_000, [5, 10, 5])
    assert sum(told.sizes) == 1900 * 32
    assert set(told.sizes[:-1]) == {FUNASR_SLICE_BYTES}


async def test_sentences_that_the_server_ended_by_itself_are_kept(
    provider: FunAsr, sockets: SocketServer, server: FunAsrServer
) -> None:
    server.ends = 2
    heard = await provider.transcribe_stream(sockets.instance("asr"), says(tone(1800)), "auto")
    assert heard.text == "今天天气怎么样。"


async def test_when_the_last_sentence_ended_before_the_user_did_nothing_is_lost(
    provider: FunAsr, sockets: SocketServer, server: FunAsrServer
) -> None:
    server.ends = 3
    heard = await provider.transcribe_stream(
        sockets.instance("asr"), says(tone(1800), bytes(300 * 32)), "auto"
    )
    assert heard.text == "今天天气怎么样"


async def test_silence_is_an_empty_transcript(
    provider: FunAsr, sockets: SocketServer, server: FunAsrServer
) -> None:
    server.silent = True
    assert (await provider.transcribe_stream(sockets.instance("asr"), says(tone(1200)), "auto")).text == ""


async def test_the_tags_of_sense_voice_tell_the_language_and_are_not_text(
    provider: FunAsr, sockets: SocketServer, server: FunAsrServer
) -> None:
    server.tags = "<|zh|><|NEUTRAL|><|Speech|><|woitn|>"
    heard = await provider.transcribe_stream(sockets.instance("asr"), says(tone(600)), "auto")
    assert (heard.text, heard.language) == ("今天。", "zh")


async def test_a_slow_answer_is_waited_for(
    provider: FunAsr, sockets: SocketServer, server: FunAsrServer
) -> None:
    server.fault = "slow"
    assert (
        await provider.transcribe_stream(sockets.instance("asr"), says(tone(600)), "auto")
    ).text == "今天。"


async def test_a_server_that_always_answers_and_does_not_is_hung(
    provider: FunAsr, sockets: SocketServer
) -> None:
    serve(sockets, FunAsrServer(flavour="cpp", fault="hang"))
    with pytest.raises(InstanceUnreachable, match="no transcript"):
        await provider.transcribe_stream(sockets.instance("asr"), says(tone(600)), "auto")


async def test_the_check_reaches_the_server_and_opens_no_connection_that_would_end_another(
    provider: FunAsr, sockets: SocketServer, server: FunAsrServer
) -> None:
    assert await provider.check(sockets.instance("asr")) == LoadReport()
    assert not server.heard


async def test_the_check_fails_where_another_server_answers(provider: FunAsr, sockets: SocketServer) -> None:
    sockets.refuses(200, "<html>It works!</html>")
    with pytest.raises(InstanceFailed, match="It works!"):
        await provider.check(sockets.instance("asr"))

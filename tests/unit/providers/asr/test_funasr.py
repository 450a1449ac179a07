"""FunASR's two servers, as their sources say what they say, well and badly."""

from __future__ import annotations

import asyncio
from typing import get_args

import aiohttp
import pytest
from aiohttp import web

from dispatcher.catalogue.model import Instance
from dispatcher.errors import (
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
    InstanceUnreachable,
    StateError,
)
from dispatcher.providers.asr import funasr
from dispatcher.providers.asr.funasr import SLICE_BYTES, FunAsr
from dispatcher.providers.protocols import LoadReport
from tests.support.processes import free_port
from tests.support.services.funasr import Fault, Flavour, FunAsrServer
from tests.support.services.socket_server import SocketServer
from tests.support.waiting import PATIENCE_S, soon
from tests.unit.providers.asr.spoken_utterance import WAV, Speaker, says, tone


@pytest.fixture
def provider(http_session: aiohttp.ClientSession) -> FunAsr:
    return FunAsr(http_session)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(funasr, "NO_TEXT_TIMEOUT_S", 0.3)


@pytest.fixture(params=get_args(Flavour))
def server(request: pytest.FixtureRequest, sockets: SocketServer) -> FunAsrServer:
    """Either server; both refuse what is no handshake."""
    ear = FunAsrServer(flavour=request.param)
    serve(sockets, ear)
    return ear


def serve(sockets: SocketServer, ear: FunAsrServer) -> None:
    """Serve sockets by this ear, and refuse plain requests as a WebSocket server does."""
    sockets.talks(ear.talk)
    accept = sockets._handler
    assert accept is not None
    name = "WebSocket++/0.8.2" if ear.flavour == "cpp" else "Python/3.11 websockets/15.0"

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
    assert set(told.sizes[:-1]) == {SLICE_BYTES}


async def test_words_flow_to_the_server_before_the_rest_was_said(
    provider: FunAsr, sockets: SocketServer, server: FunAsrServer
) -> None:
    speaker = Speaker((tone(600), tone(1200)))
    hearing = asyncio.create_task(
        provider.transcribe_stream(sockets.instance("asr"), speaker.speech(), "auto")
    )

    async def heard() -> bool:
        return bool(server.heard and server.heard[0].chunks)

    await soon(heard, what="the first chunk is heard")
    assert not server.heard[0].ended
    speaker.goes_on.set()
    assert (await hearing).text == "今天天气怎么样。"


@pytest.mark.usefixtures("server")
async def test_a_whole_utterance_is_heard_too(provider: FunAsr, sockets: SocketServer) -> None:
    heard = await provider.transcribe(sockets.instance("asr"), WAV, "auto")
    assert heard.text == "今天天气怎么样。"


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


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ("close", "closed the socket"),
        ("html", "It works!"),
        ("broken", "2pass-online"),
        ("half", "not JSON"),
        ("types", "17"),
    ],
)
async def test_nonsense_is_the_fault_of_the_server_and_known_while_the_user_speaks(
    provider: FunAsr, sockets: SocketServer, server: FunAsrServer, fault: Fault, shown: str
) -> None:
    server.fault = fault
    speaker = Speaker((tone(700), tone(700)))
    with pytest.raises(InstanceFailed, match=shown):
        async with asyncio.timeout(PATIENCE_S):
            await provider.transcribe_stream(sockets.instance("asr"), speaker.speech(), "auto")
    assert not server.heard[0].ended


async def test_a_server_that_always_answers_and_does_not_is_hung(
    provider: FunAsr, sockets: SocketServer
) -> None:
    serve(sockets, FunAsrServer(flavour="cpp", fault="hang"))
    with pytest.raises(InstanceUnreachable, match="no transcript"):
        await provider.transcribe_stream(sockets.instance("asr"), says(tone(600)), "auto")


@pytest.mark.usefixtures("server")
async def test_speech_that_breaks_off_is_not_the_fault_of_the_server(
    provider: FunAsr, sockets: SocketServer
) -> None:
    speaker = Speaker((tone(600),), breaks_off=True)
    speaker.goes_on.set()
    with pytest.raises(StateError, match="lost"):
        await provider.transcribe_stream(sockets.instance("asr"), speaker.speech(), "auto")


async def test_who_stops_listening_closes_the_socket(
    provider: FunAsr, sockets: SocketServer, server: FunAsrServer
) -> None:
    speaker = Speaker((tone(600), tone(600)))
    hearing = asyncio.create_task(
        provider.transcribe_stream(sockets.instance("asr"), speaker.speech(), "auto")
    )

    async def heard() -> bool:
        return bool(server.heard)

    await soon(heard, what="the server is spoken to")
    hearing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hearing
    async with asyncio.timeout(PATIENCE_S):
        await sockets.gone.wait()


@pytest.mark.parametrize(
    ("status", "kind"), [(401, InstanceForbidden), (503, InstanceBusy), (500, InstanceFailed)]
)
async def test_a_refused_handshake_says_whose_fault_it_is(
    provider: FunAsr, sockets: SocketServer, status: int, kind: type[InstanceError]
) -> None:
    sockets.refuses(status, "no")
    with pytest.raises(kind):
        await provider.transcribe_stream(sockets.instance("asr"), says(tone(600)), "auto")
    with pytest.raises(kind):
        await provider.check(sockets.instance("asr"))


@pytest.mark.usefixtures("server")
async def test_a_key_travels_as_a_bearer_header(
    provider: FunAsr, sockets: SocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EAR_KEY", "secret-of-the-ear")
    await provider.transcribe_stream(sockets.instance("asr", api_key_env="EAR_KEY"), says(tone(600)), "auto")
    assert sockets.requests[0].headers["Authorization"] == "Bearer secret-of-the-ear"


async def test_the_check_reaches_the_server_and_opens_no_connection_that_would_end_another(
    provider: FunAsr, sockets: SocketServer, server: FunAsrServer
) -> None:
    assert await provider.check(sockets.instance("asr")) == LoadReport()
    assert not server.heard


async def test_the_check_fails_where_another_server_answers(provider: FunAsr, sockets: SocketServer) -> None:
    sockets.refuses(200, "<html>It works!</html>")
    with pytest.raises(InstanceFailed, match="It works!"):
        await provider.check(sockets.instance("asr"))


async def test_nobody_at_the_address_is_unreachable(provider: FunAsr) -> None:
    nobody = Instance(service="asr", name="asr-1", endpoint=f"ws://127.0.0.1:{free_port()}")
    with pytest.raises(InstanceUnreachable):
        await provider.check(nobody)
    with pytest.raises(InstanceUnreachable):
        await provider.transcribe_stream(nobody, says(tone(60)), "auto")

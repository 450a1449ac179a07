"""sherpa-onnx's two servers, as their sources say what they say, well and badly."""

from __future__ import annotations

import aiohttp
import pytest

from dispatcher.audio.wav import wav_bytes
from dispatcher.catalogue.model import Instance
from dispatcher.errors import (
    ContentRefused,
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
    InstanceUnreachable,
)
from dispatcher.providers.asr.sherpa_onnx import MAX_SEGMENTS, SherpaOnnx
from dispatcher.providers.asr.sherpa_onnx_offline import MESSAGE_BYTES, SherpaOnnxOffline
from dispatcher.providers.protocols import LoadReport
from tests.support.processes import free_port
from tests.support.services.sherpa_onnx import OfflineSherpaServer, SherpaServer
from tests.support.services.socket_server import SocketServer
from tests.unit.providers.asr.spoken_utterance import WAV, says, tone


@pytest.fixture
def streaming(http_session: aiohttp.ClientSession) -> SherpaOnnx:
    return SherpaOnnx(http_session)


@pytest.fixture
def offline(http_session: aiohttp.ClientSession) -> SherpaOnnxOffline:
    return SherpaOnnxOffline(http_session)


async def test_samples_travel_as_floats_and_the_last_text_counts(
    streaming: SherpaOnnx, sockets: SocketServer
) -> None:
    server = SherpaServer()
    sockets.talks(server.talk)
    heard = await streaming.transcribe_stream(sockets.instance("asr"), says(tone(600), tone(900)), "en")
    assert (heard.text, heard.language) == ("WORD WORD WORD", "en")
    assert len(server.samples) == 1500 * 16
    assert set(server.samples) == {0x1000 / 32768, -0x1000 / 32768}


async def test_the_segments_that_the_server_found_make_one_text(
    streaming: SherpaOnnx, sockets: SocketServer
) -> None:
    sockets.talks(SherpaServer(segment_words=2).talk)
    assert (await streaming.transcribe(sockets.instance("asr"), WAV, "en")).text == "WORD WORD WORD"


async def test_silence_is_an_empty_transcript(streaming: SherpaOnnx, sockets: SocketServer) -> None:
    sockets.talks(SherpaServer().talk)
    assert (await streaming.transcribe_stream(sockets.instance("asr"), says(tone(100)), "en")).text == ""


@pytest.mark.parametrize("segment", [-1, MAX_SEGMENTS, "0", True, None])
async def test_a_segment_without_a_sensible_number_is_nonsense(
    streaming: SherpaOnnx, sockets: SocketServer, segment: object
) -> None:
    word = {True: "true", None: "null", "0": '"0"'}.get(segment, str(segment))  # type: ignore[call-overload]
    sockets.sends(f'{{"text": "WORD", "segment": {word}}}')
    with pytest.raises(InstanceFailed, match="WORD"):
        await streaming.transcribe_stream(sockets.instance("asr"), says(tone(700)), "en")


async def test_the_check_is_a_handshake(
    streaming: SherpaOnnx, offline: SherpaOnnxOffline, sockets: SocketServer
) -> None:
    server = SherpaServer()
    sockets.talks(server.talk)
    for provider in (streaming, offline):
        assert await provider.check(sockets.instance("asr")) == LoadReport()
    assert not server.samples
    nobody = Instance(service="asr", name="asr-1", endpoint=f"ws://127.0.0.1:{free_port()}")
    with pytest.raises(InstanceUnreachable):
        await streaming.check(nobody)


@pytest.mark.parametrize(
    ("answer", "text", "language"),
    [
        ('{"lang": "<|zh|>", "text": "今天天气怎么样"}', "今天天气怎么样", "zh"),
        ('{"lang": "<|yue|>", "text": "你好"}', "你好", "zh"),
        ('{"lang": "", "text": " HELLO "}', "HELLO", "auto"),
        ("HELLO", "HELLO", "auto"),
        ("", "", "auto"),
    ],
)
async def test_the_other_server_gets_rate_length_and_samples_and_answers_once(
    offline: SherpaOnnxOffline, sockets: SocketServer, answer: str, text: str, language: str
) -> None:
    server = OfflineSherpaServer(answer=answer)
    sockets.talks(server.talk)
    heard = await offline.transcribe(sockets.instance("asr"), wav_bytes(tone(1000), 48_000), "auto")
    assert (heard.text, heard.language) == (text, language)
    assert (server.rate_hz, len(server.samples)) == (48_000, 16_000)
    assert server.largest_bytes == MESSAGE_BYTES


@pytest.mark.parametrize(
    ("answer", "shown"),
    [("<html>It works!", "It works!"), ('{"text": ["WORD"]}', "WORD"), ('{"text": "x", "lang": 3}', "3")],
)
async def test_nonsense_of_the_other_server_is_its_fault(
    offline: SherpaOnnxOffline, sockets: SocketServer, answer: str, shown: str
) -> None:
    sockets.talks(OfflineSherpaServer(answer=answer).talk)
    with pytest.raises(InstanceFailed, match=shown):
        await offline.transcribe(sockets.instance("asr"), WAV, "auto")


async def test_what_is_no_wav_would_be_refused_by_every_instance(
    offline: SherpaOnnxOffline, sockets: SocketServer
) -> None:
    with pytest.raises(ContentRefused):
        await offline.transcribe(sockets.instance("asr"), b"nothing", "auto")


@pytest.mark.parametrize(
    ("status", "kind"), [(401, InstanceForbidden), (503, InstanceBusy), (500, InstanceFailed)]
)
async def test_a_refused_handshake_of_the_other_server_says_whose_fault_it_is(
    offline: SherpaOnnxOffline, sockets: SocketServer, status: int, kind: type[InstanceError]
) -> None:
    sockets.refuses(status, "no")
    with pytest.raises(kind):
        await offline.transcribe(sockets.instance("asr"), WAV, "en")
    with pytest.raises(kind):
        await offline.check(sockets.instance("asr"))

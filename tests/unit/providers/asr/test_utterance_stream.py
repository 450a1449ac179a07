"""Slices, joined texts and the end of an utterance that is sent while it is spoken."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.audio.wav import wav_bytes
from dispatcher.catalogue.dialects import providers_of
from dispatcher.catalogue.model import Instance
from dispatcher.errors import ContentRefused, InstanceFailed, InstanceUnreachable
from dispatcher.providers.asr import utterance_stream
from dispatcher.providers.asr.utterance_stream import UtteranceStream, join_texts, slices, whole_utterance
from dispatcher.providers.registry import Providers
from dispatcher.providers.websocket import Socket, open_socket
from tests.support.services.socket_server import SocketServer, read_for_ever
from tests.unit.providers.asr.spoken_utterance import says

ASR = Instance(service="asr", name="asr-1", endpoint="ws://ear")


@given(parts=st.lists(st.binary(max_size=50), max_size=8), size=st.integers(1, 20))
async def test_slices_hold_all_of_the_speech_in_pieces_of_one_length(parts: list[bytes], size: int) -> None:
    cut = [piece async for piece in slices(says(*parts), size)]
    assert b"".join(cut) == b"".join(parts)
    assert all(len(piece) == size for piece in cut[:-1])
    assert all(0 < len(piece) <= size for piece in cut)


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        ([], ""),
        (["今天天气", "怎么样？"], "今天天气怎么样？"),
        ([" what is ", "", "the time?"], "what is the time?"),
        (["Hello.", "World"], "Hello. World"),
        (["播放", "Yesterday", "吧"], "播放Yesterday吧"),
    ],
)
def test_words_are_joined_with_a_space_and_chinese_without(texts: list[str], joined: str) -> None:
    assert join_texts(texts) == joined


async def test_a_wav_of_another_rate_is_brought_to_16_khz() -> None:
    pcm = b"".join([piece async for piece in whole_utterance(ASR, wav_bytes(bytes(48_000 * 2), 48_000))])
    assert len(pcm) == pytest.approx(16_000 * 2, abs=8)


async def test_what_is_no_wav_would_be_refused_by_every_instance() -> None:
    with pytest.raises(ContentRefused, match="utterance: "):
        [piece async for piece in whole_utterance(ASR, b"nothing")]


async def test_every_dialect_that_is_said_to_streaming_does() -> None:
    providers = Providers()
    ears = providers_of("asr")
    instances = [Instance(service="asr", name="x", endpoint="ws://x", provider=name) for name in ears]
    try:
        streaming = {each.provider for each in instances if hasattr(providers.asr(each), "transcribe_stream")}
    finally:
        await providers.close()
    assert streaming == {each.provider for each in instances if each.is_streaming_asr}


async def test_an_instance_that_breaks_off_is_known_while_the_user_speaks(
    sockets: SocketServer, http_session: aiohttp.ClientSession
) -> None:
    sockets.sends()  # accepts, and closes
    never = asyncio.Event()

    async def send() -> None:
        await never.wait()

    async with open_socket(http_session, sockets.instance("asr"), sockets.url) as socket:
        stream = UtteranceStream(socket)
        with pytest.raises(InstanceFailed, match="closed the socket"):
            await stream.run(send=send(), receive=stream.receive())


async def test_an_instance_may_be_silent_while_the_user_speaks_and_not_for_long_after(
    sockets: SocketServer, http_session: aiohttp.ClientSession
) -> None:
    sockets.talks(read_for_ever)
    over = asyncio.Event()

    async with open_socket(http_session, sockets.instance("asr"), sockets.url) as socket:
        stream = UtteranceStream(socket)

        async def send() -> None:
            await over.wait()

        running = asyncio.create_task(stream.run(send=send(), receive=stream.receive(within_s=0.05)))
        done, _ = await asyncio.wait((running,), timeout=0.2)
        assert not done
        over.set()
        assert await running is None
        assert isinstance(stream.silence_error(), InstanceUnreachable)
        assert "silent for 0.05 s" in str(stream.silence_error())


async def test_the_last_word_of_an_instance_that_cannot_be_sent_to_is_heard(
    sockets: SocketServer, http_session: aiohttp.ClientSession
) -> None:
    may_say = asyncio.Event()

    async def talk_late(socket: web.WebSocketResponse) -> None:
        await may_say.wait()
        await socket.send_str("no quota")

    sockets.talks(talk_late)

    async def send(socket: Socket) -> None:
        may_say.set()
        raise InstanceUnreachable(socket.instance.name, "connection reset")

    async with open_socket(http_session, sockets.instance("asr"), sockets.url) as socket:
        stream = UtteranceStream(socket)
        assert await stream.run(send=send(socket), receive=stream.receive()) == "no quota"
        again = UtteranceStream(socket)
        with pytest.raises(InstanceUnreachable, match="connection reset"):
            await again.run(send=send(socket), receive=_nothing())


async def _nothing() -> None:
    await asyncio.Event().wait()


def test_patience_after_the_end_is_shorter_than_a_stage() -> None:
    # Else the front would send the stage again before another instance was asked.
    assert utterance_stream.TRANSCRIPT_TIMEOUT_S < 10.0

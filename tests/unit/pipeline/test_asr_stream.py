"""The streaming ASR stage: instances that take the stream, and those that want the whole utterance."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from dispatcher.audio.packets import pack
from dispatcher.audio.pcm import read_wav
from dispatcher.catalogue.model import Instance
from dispatcher.errors import AudioError, InstanceFailed
from dispatcher.messages import TurnTicket
from dispatcher.pipeline.asr_stream import StreamTranscription
from dispatcher.pipeline.incoming_utterance import IncomingUtterance
from dispatcher.providers.protocols import Transcript
from dispatcher.turn_store.utterance_stream import UtterancePart, UtteranceReader
from tests.unit.pipeline.fake_worker import FakeWorker, instance_of, ticket_of

WORDS = Transcript(text="How are you?", language="en")
PCM = [bytes([number, 1]) * 960 for number in range(3)]
SPOKEN_S = 6.0


class Speaker:
    """A user whose packets come over some seconds."""

    def __init__(self, ticket: TurnTicket) -> None:
        self.parts = [UtterancePart(packed=pack([piece])) for piece in PCM]
        self.parts.append(UtterancePart(packed=b"", ticket=ticket))

    async def read(self) -> list[UtterancePart]:
        """Return the next packet."""
        await asyncio.sleep(SPOKEN_S / 4)
        return [self.parts.pop(0)]


async def transcribe(worker: FakeWorker) -> Transcript:
    ticket = ticket_of(audio_format="pcm", live=True)
    utterance = IncomingUtterance(ticket, lambda _: None)
    following = asyncio.create_task(utterance.follow(cast("UtteranceReader", Speaker(ticket))))
    try:
        return await StreamTranscription(worker.context, ticket, utterance).run()
    finally:
        await following


def streaming(name: str) -> Instance:
    return instance_of("asr", name, provider="funasr")


async def test_an_instance_that_streams_gets_the_audio_as_it_comes_and_is_not_late() -> None:
    worker = FakeWorker.with_instances(streaming("a"), streaming("b"))
    worker.providers.scripts["a"].append([WORDS])
    assert await transcribe(worker) == WORDS
    assert worker.providers.asked == [("a", b"".join(PCM))]
    assert worker.router.modes == [("a", "spare")], "while the user speaks nothing is probed"
    (reply,) = worker.redis.replies
    assert (reply.kind, reply.text) == ("transcript", WORDS.text)
    assert reply.timings is not None
    assert reply.timings["asr_wait_ms"] == 0


async def test_an_instance_that_wants_the_whole_gives_its_slot_back_and_is_asked_first_at_the_end() -> None:
    worker = FakeWorker.with_instances(instance_of("asr", "a"), instance_of("asr", "b"))
    worker.providers.scripts["a"].append([WORDS])
    assert await transcribe(worker) == WORDS
    assert [name for name, _ in worker.router.modes] == ["a", "a"]
    assert worker.router.outcomes == [("a", "ignored"), ("a", "ok")]
    assert read_wav(worker.providers.asked[0][1]) == (b"".join(PCM), 16_000)


async def test_a_stream_that_breaks_is_begun_anew_on_another_instance() -> None:
    worker = FakeWorker.with_instances(streaming("a"), streaming("b"))
    worker.providers.scripts["a"].append([InstanceFailed("a", "the socket broke")])
    worker.providers.scripts["b"].append([WORDS])
    assert await transcribe(worker) == WORDS
    assert worker.providers.asked[-1] == ("b", b"".join(PCM))


async def test_a_late_instance_is_hedged_once_the_user_has_ended() -> None:
    worker = FakeWorker.with_instances(streaming("a"), instance_of("asr", "b"))
    worker.providers.scripts["a"].append([9.0, WORDS])
    worker.providers.scripts["b"].append([WORDS, 0.1])
    assert await transcribe(worker) == WORDS
    assert [name for name, _ in worker.providers.asked] == ["a", "b"]


async def test_an_utterance_that_cannot_be_decoded_ends_the_stage() -> None:
    worker = FakeWorker.with_instances(streaming("a"))
    worker.providers.scripts["a"].append([WORDS])
    ticket = ticket_of(live=True)
    utterance = IncomingUtterance(ticket, lambda _: None)
    speaker = Speaker(ticket)
    speaker.parts = [UtterancePart(packed=pack([b"\xff\x00"]), ticket=ticket)]
    following = asyncio.create_task(utterance.follow(cast("UtteranceReader", speaker)))
    with pytest.raises(AudioError, match="none of 1 packets"):
        await StreamTranscription(worker.context, ticket, utterance).run()
    await following

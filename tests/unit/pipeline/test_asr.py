from __future__ import annotations

import pytest

from dispatcher.audio.packets import pack
from dispatcher.audio.pcm import read_wav
from dispatcher.errors import AudioError, StateError, TurnCancelled
from dispatcher.pipeline.asr import size_of, transcribe
from dispatcher.providers.protocols import Transcript
from tests.unit.pipeline.fake_worker import FakeWorker, instance_of, ticket_of

PCM = b"\x01\x02" * 16_000
TICKET = ticket_of(audio_format="pcm")


async def worker_with_audio(packed: bytes | None, *transcripts: Transcript) -> FakeWorker:
    worker = FakeWorker.with_instances(instance_of("asr", "a"))
    worker.redis.answers["GET"] = packed
    worker.providers.scripts["a"] += [[each] for each in transcripts]
    return worker


async def test_the_transcript_goes_to_the_front_and_on_to_the_llm() -> None:
    worker = await worker_with_audio(pack([PCM]), Transcript(text="How are you?", language="auto"))
    following = await transcribe(worker.context, TICKET)
    assert following is not None
    assert (following.text, following.language) == ("How are you?", "en")
    assert read_wav(worker.providers.asked[0][1]) == (PCM, 16_000)
    (reply,) = worker.redis.replies
    assert (reply.kind, reply.text) == ("transcript", "How are you?")
    assert reply.timings is not None
    assert reply.timings["asr_instance"] == "a"


async def test_an_utterance_without_words_ends_the_chain() -> None:
    worker = await worker_with_audio(pack([PCM]), Transcript(text="", language="en"))
    assert await transcribe(worker.context, TICKET) is None
    assert worker.redis.said == [("transcript", "")]


@pytest.mark.parametrize("packets", [[], [b"\xff\x00"]])
async def test_an_utterance_of_which_nothing_decodes_is_an_error(packets: list[bytes]) -> None:
    worker = await worker_with_audio(pack(packets))
    with pytest.raises(AudioError):
        await transcribe(worker.context, ticket_of())


async def test_a_cancelled_turn_and_audio_that_expired_are_told_apart() -> None:
    worker = await worker_with_audio(None)
    with pytest.raises(StateError, match="is gone"):
        await transcribe(worker.context, TICKET)
    worker.redis.answers["EXISTS"] = 1
    with pytest.raises(TurnCancelled):
        await transcribe(worker.context, TICKET)


def test_only_a_long_utterance_is_more_than_usual_work() -> None:
    assert [size_of(seconds * 32_000) for seconds in (1, 5, 10)] == [1.0, 1.0, 2.0]

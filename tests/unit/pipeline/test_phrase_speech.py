"""Sentences of workers that come from the phrase cache, or go into it."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from dispatcher.audio import packets
from dispatcher.dialogue_store.phrase_cache import CACHE_NAME, Finding
from dispatcher.errors import InstanceFailed
from dispatcher.pipeline import phrase_speech, tts
from dispatcher.pipeline.llm import respond
from tests.unit.pipeline.fake_phrases import FakePhrases
from tests.unit.pipeline.fake_worker import FakeWorker, instance_of, ticket_of
from tests.unit.pipeline.test_tts import FRAME, sent, speech

SOUND = packets.pack([b"one", b"two"])
# Made when the tests are collected, long before the last of them runs.
TICKET = ticket_of(audio_format="pcm", language="en", text="hello", deadline_at_s=time.time() + 3600)
ANSWER = ["The first sentence is about the weather. ", "The second sentence is about the sea. "]


def worker_with(phrases: FakePhrases, *names: str) -> FakeWorker:
    voices = (instance_of("tts", name, voice=f"voice of {name}") for name in names or ("a",))
    return FakeWorker.with_instances(instance_of("llm", "llm"), *voices, phrases=phrases)


async def test_a_sentence_of_the_cache_goes_to_the_front_and_to_no_queue() -> None:
    worker = worker_with(FakePhrases("hit", "pass", packed=SOUND))
    worker.providers.scripts["llm"].append(ANSWER)
    await respond(worker.context, TICKET)
    assert [kind for kind, _ in worker.redis.said] == ["sentence", "audio", "sentence", "end"]
    audio = worker.redis.replies[1]
    assert (audio.index, audio.packets, audio.last, audio.text) == (0, SOUND, True, CACHE_NAME)
    assert audio.timings == {"tts_instance": CACHE_NAME, "tts_wait_ms": 0.0, "tts_first_audio_ms": 0.5}
    ((_, message),) = worker.redis.pushed
    assert json.loads(json.loads(message)["body"])[0][1:] == [1, ANSWER[1].strip()]


async def test_a_sentence_that_was_said_before_is_to_be_kept() -> None:
    phrases = FakePhrases("keep", "pass")
    worker = worker_with(phrases)
    worker.providers.scripts["llm"].append(ANSWER)
    await respond(worker.context, TICKET)
    bodies = [json.loads(json.loads(message)["body"])[0] for _, message in worker.redis.pushed]
    assert [arguments[3:] for arguments in bodies] == [["sentence"], []]
    assert phrases.asked == [(each.strip(), False) for each in ANSWER]


async def test_a_cache_that_is_off_is_not_asked() -> None:
    phrases = FakePhrases()
    worker = worker_with(phrases)
    off = replace(worker.context.catalogue.phrase_cache, max_mb=0.0)
    worker.router.active.current = replace(worker.context.catalogue, phrase_cache=off)
    worker.providers.scripts["llm"].append(ANSWER)
    await respond(worker.context, TICKET)
    assert not phrases.asked
    assert len(worker.redis.pushed) == 2


async def test_what_is_to_be_kept_is_spoken_as_ever_and_all_of_it_is_kept() -> None:
    phrases = FakePhrases("mine")
    worker = worker_with(phrases)
    worker.providers.scripts["a"].append([speech(8)])
    await tts.speak(worker.context, TICKET, 0, "Hello there.", "fixed")
    assert b"".join(sent(worker)) == speech(8)
    ((text, packed, voice),) = phrases.stored
    assert (text, voice) == ("Hello there.", "voice of a")
    assert packets.unpack(packed) == sent(worker)
    assert not phrases.given_up


async def test_what_another_process_makes_is_waited_for_and_no_instance_is_asked() -> None:
    phrases = FakePhrases("theirs", "theirs", "hit", packed=SOUND)
    worker = worker_with(phrases)
    await tts.speak(worker.context, TICKET, 3, "Hello there.", "fixed")
    assert not worker.providers.asked
    assert not worker.router.modes, "no lease was spent"
    ((reply),) = worker.redis.replies
    assert (reply.index, reply.packets, reply.last) == (3, SOUND, True)
    assert phrases.asked == [("Hello there.", True)] * 3


async def test_another_process_that_takes_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phrase_speech, "MAKING_TIMEOUT_S", 0.05)
    theirs: list[Finding] = ["theirs"] * 100
    worker = worker_with(FakePhrases(*theirs))
    worker.providers.scripts["a"].append([speech(1)])
    await tts.speak(worker.context, TICKET, 0, "Hello there.", "fixed")
    assert b"".join(sent(worker)) == speech(1)


async def test_who_makes_a_phrase_beside_another_leaves_that_one_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(phrase_speech, "MAKING_TIMEOUT_S", 0.0)
    phrases = FakePhrases("theirs", "theirs")
    worker = worker_with(phrases)
    worker.providers.scripts["a"].append([InstanceFailed("a", "HTTP 500")])
    with pytest.raises(InstanceFailed):
        await tts.speak(worker.context, TICKET, 0, "Hello there.", "fixed")
    assert not phrases.given_up


async def test_a_phrase_that_no_instance_speaks_is_left_to_others() -> None:
    phrases = FakePhrases("mine")
    worker = worker_with(phrases)
    worker.providers.scripts["a"].append([InstanceFailed("a", "HTTP 500")])
    with pytest.raises(InstanceFailed):
        await tts.speak(worker.context, TICKET, 0, "Hello there.", "sentence")
    assert (phrases.stored, phrases.given_up) == ([], ["Hello there."])


async def test_a_phrase_with_two_voices_in_it_is_not_kept() -> None:
    phrases = FakePhrases("mine")
    worker = worker_with(phrases, "a", "b")
    worker.providers.scripts["a"].append([speech(6)[: 2 * FRAME], InstanceFailed("a", "HTTP 500")])
    worker.providers.scripts["b"].append([speech(6)])
    await tts.speak(worker.context, TICKET, 0, "Hello there.", "sentence")
    assert b"".join(sent(worker)) == speech(6)
    assert (phrases.stored, phrases.given_up) == ([], ["Hello there."])


async def test_a_sentence_that_is_not_to_be_kept_asks_nothing() -> None:
    phrases = FakePhrases()
    worker = worker_with(phrases)
    worker.providers.scripts["a"].append([speech(1)])
    await tts.speak(worker.context, TICKET, 0, "Hello there.")
    assert not phrases.asked

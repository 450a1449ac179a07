from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dispatcher.audio import packets
from dispatcher.audio.opus_frames import OpusPackets
from dispatcher.catalogue.model import Playback
from dispatcher.errors import InstanceFailed
from dispatcher.messages import REPLY_FRAME_MS, REPLY_RATE_HZ
from dispatcher.pipeline import tts
from tests.unit.pipeline.fake_worker import FakeWorker, instance_of, ticket_of

FRAME = REPLY_RATE_HZ * REPLY_FRAME_MS // 1000 * 2


def speech(frames: int) -> bytes:
    """Return PCM of which every frame differs."""
    return b"".join(bytes([number, 1]) * (FRAME // 2) for number in range(frames))


async def speak(worker: FakeWorker) -> None:
    await tts.synthesize(worker.context, ticket_of(audio_format="pcm", language="en"), 2, "Hello there.")


def sent(worker: FakeWorker) -> list[bytes]:
    return [packet for reply in worker.redis.replies for packet in packets.unpack(reply.packets)]


def groups(worker: FakeWorker) -> list[int]:
    """Return how many packets each reply has."""
    return [len(packets.unpack(reply.packets)) for reply in worker.redis.replies]


def pieces(frames: int, *sizes: int) -> list[bytes]:
    """Return PCM in pieces of so many frames, and one of the rest."""
    rest, cut = speech(frames), []
    for size in sizes:
        cut.append(rest[: size * FRAME])
        rest = rest[size * FRAME :]
    return [*cut, rest]


async def test_the_first_packets_leave_at_once_and_then_ten_or_more_together() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a"))
    worker.providers.scripts["a"].append(pieces(29, 3, 4, 5, 4, 7, 4))
    await speak(worker)
    assert groups(worker) == [3, 13, 11, 2]
    assert [(reply.index, reply.last) for reply in worker.redis.replies] == [(2, False)] * 3 + [(2, True)]
    assert b"".join(sent(worker)) == speech(29)
    timings = worker.redis.replies[0].timings
    assert timings is not None
    assert timings["tts_instance"] == "a"
    assert worker.redis.replies[1].timings is None


async def test_packets_of_speech_that_comes_as_slowly_as_it_is_played_do_not_wait() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a"))
    slow = [item for piece in pieces(15, *[1] * 14) for item in (piece, 0.06)]
    worker.providers.scripts["a"].append(slow)
    await speak(worker)
    assert groups(worker) == [1] * 15 + [0]


async def test_packets_that_wait_leave_before_a_device_has_played_all() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a"))
    worker.providers.scripts["a"].append([speech(5)[: 3 * FRAME], speech(5)[3 * FRAME :], 1.0])
    await speak(worker)
    assert groups(worker) == [3, 2, 0]


async def test_nothing_is_sent_after_a_sentence_was_given_up() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a"))
    worker.providers.scripts["a"].append([*pieces(4, 3), InstanceFailed("a", "HTTP 500")])
    with pytest.raises(InstanceFailed):
        await speak(worker)
    await asyncio.sleep(1)
    assert groups(worker) == [3]


async def test_a_substitute_skips_as_much_as_was_spoken_already() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a"), instance_of("tts", "b"))
    worker.providers.scripts["a"].append([speech(6)[: 2 * FRAME], InstanceFailed("a", "HTTP 500")])
    worker.providers.scripts["b"].append([speech(6)[:FRAME], speech(6)[FRAME:]])
    await speak(worker)
    assert b"".join(sent(worker)) == speech(6)


async def test_an_instance_that_is_overtaken_sends_nothing() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a"), instance_of("tts", "b"))
    worker.providers.scripts["a"].append([1.0, b"\xff" * FRAME])
    worker.providers.scripts["b"].append([0.1, speech(4), 1.0])
    await speak(worker)
    assert b"".join(sent(worker)) == speech(4)


async def test_packets_that_a_device_plays_are_passed_on_and_to_others_the_sound() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a", format="opus"))
    made = packets.pack([b"one", b"two", b"three"])
    worker.providers.scripts["a"] += [[OpusPackets(made[:5]), OpusPackets(made[5:])], [speech(2)]]
    await tts.synthesize(worker.context, ticket_of(language="en"), 0, "Hello.")
    assert groups(worker) == [1, 2]
    assert sent(worker) == [b"one", b"two", b"three"]
    await speak(worker)
    assert b"".join(sent(worker)[3:]) == speech(2)
    assert worker.providers.passed == ["a"]


async def test_packets_after_speech_that_broke_off_go_on_where_that_ended() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a"), instance_of("tts", "b", format="opus"))
    worker.providers.scripts["a"].append([*pieces(3, 1), InstanceFailed("a", "HTTP 500")])
    worker.providers.scripts["b"].append([OpusPackets(packets.pack([bytes([n]) for n in range(5)]))])
    await tts.synthesize(worker.context, ticket_of(language="en"), 0, "Hello.")
    assert len(sent(worker)) == 5
    assert sent(worker)[3:] == [bytes([3]), bytes([4])]


async def test_empty_speech_is_a_failure() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a"))
    worker.providers.scripts["a"].append([b""])
    with pytest.raises(InstanceFailed, match="the speech is empty"):
        await speak(worker)
    assert not worker.redis.replies


async def test_text_is_normalized_where_the_instance_wants_it() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a", normalize_text=True))
    worker.providers.scripts["a"].append([speech(1)])
    ticket = ticket_of(audio_format="pcm", language="zh")
    await tts.synthesize(worker.context, ticket, 0, "12:30")
    assert worker.providers.asked != [("a", "12:30")]


async def test_encoders_are_used_again_until_the_yaml_asks_for_another_complexity() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a"))
    tts._idle_encoders.clear()
    worker.providers.scripts["a"] += [[speech(1)]] * 3
    for complexity in (0, 0, 5):
        playback = Playback(opus_complexity=complexity)
        worker.router.active.current = replace(worker.context.catalogue, playback=playback)
        await tts.synthesize(worker.context, ticket_of(language="en"), 0, "Hello.")
        assert [encoder.complexity for encoder in tts._idle_encoders] == [complexity]

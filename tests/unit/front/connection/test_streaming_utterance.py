"""An utterance that is streamed while it is spoken, and every way in which it falls back to a claim."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from dispatcher.catalogue.conversation import Conversation
from dispatcher.catalogue.model import Instance, ServiceConfig
from dispatcher.errors import StateError
from dispatcher.front.connection.microphone import Microphone
from dispatcher.front.connection.protocol import AudioParams
from dispatcher.front.connection.streaming_utterance import StreamingUtterance, StreamingUtterances
from dispatcher.messages import Reply
from dispatcher.redis_client import keys
from tests.unit.front.fakes import FakeFront, fake_front, settle

# 60 ms of silence in one byte (RFC 6716, configuration 11).
PACKET = b"\x58"
ASR = ServiceConfig(
    service="asr",
    algorithm="round_robin",
    instances=(Instance(service="asr", name="a", endpoint="ws://a", provider="funasr", max_concurrent=2),),
)


def streaming_front(**settings: Any) -> FakeFront:
    return fake_front(services={"asr": ASR}, **settings)


def speaker(front: FakeFront) -> tuple[StreamingUtterances, Microphone]:
    microphone = Microphone(AudioParams(), Conversation())
    microphone.open()
    return StreamingUtterances(front.context, front.profile()), microphone


def speak(microphone: Microphone, packets: int = 3) -> None:
    for _ in range(packets):
        microphone.add(PACKET, watch_speech=False)


def streamed(front: FakeFront) -> list[str]:
    return [command[1] for command in front.redis.commands if command[0] == "XADD" and "packets" in command]


async def opened(front: FakeFront) -> tuple[StreamingUtterances, Microphone]:
    utterances, microphone = speaker(front)
    speak(microphone)
    await utterances.stream(microphone)
    await settle()
    return utterances, microphone


async def test_the_first_sound_opens_a_stream_and_sends_its_task() -> None:
    front = streaming_front()
    utterances, microphone = await opened(front)
    (ticket,) = front.queued("asr")
    assert ticket["live"]
    assert streamed(front) == [keys.utterance(ticket["turn_id"])]
    taken = utterances.take(microphone)
    assert taken is not None
    assert front.context.turns.utterances == {}


async def test_a_little_sound_waits_for_more() -> None:
    front = streaming_front()
    utterances, microphone = speaker(front)
    speak(microphone, 1)
    await utterances.stream(microphone)
    assert front.queued("asr") == []
    assert utterances.take(microphone) is None


async def test_without_a_streaming_instance_nothing_is_streamed_until_the_catalogue_has_one() -> None:
    front = fake_front()
    utterances, microphone = await opened(front)
    assert front.queued("asr") == []
    front.context.active.current = replace(front.context.catalogue, services={"asr": ASR})
    await utterances.stream(microphone)
    await settle()
    assert len(front.queued("asr")) == 1


@pytest.mark.parametrize("kind", ["failed", "lost"])
async def test_a_worker_that_gives_up_leaves_the_turn_to_a_claim(kind: str) -> None:
    front = streaming_front()
    utterances, microphone = await opened(front)
    utterance = cast("StreamingUtterance", next(iter(front.context.turns.utterances.values())))
    utterance.on_reply(Reply(turn_id=utterance.ticket.turn_id, attempt=1, kind=kind, text="why"))  # type: ignore[arg-type]
    assert utterance.failed
    assert utterances.take(microphone) is None
    await settle()
    assert ("SET", keys.cancelled(utterance.ticket.turn_id)) in {each[:2] for each in front.redis.commands}


async def test_a_queue_that_is_too_long_is_no_place_for_it() -> None:
    front = streaming_front(queue_limit=1)
    front.redis.lists["asr"] = ["another turn"]
    utterances, microphone = await opened(front)
    assert utterances.take(microphone) is None


async def test_redis_that_takes_no_more_costs_the_head_start_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    front = streaming_front()
    utterances, microphone = await opened(front)

    def refuse(*_: object, **__: object) -> None:
        raise StateError("too much is pending")

    monkeypatch.setattr(front.context.cache_redis, "send_nowait", refuse)
    speak(microphone)
    await utterances.stream(microphone)
    assert utterances.take(microphone) is None


async def test_an_utterance_that_is_dropped_is_cancelled_at_its_worker() -> None:
    front = streaming_front()
    utterances, microphone = await opened(front)
    (turn_id,) = front.context.turns.utterances
    utterances.discard()
    utterances.discard()
    await settle()
    assert ("UNLINK", keys.claim(turn_id), keys.utterance(turn_id)) in front.redis.commands
    assert front.context.turns.utterances == {}
    assert utterances.take(microphone) is None

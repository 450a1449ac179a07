"""Messages and sound of a device that open, end and answer utterances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import cast

import pytest

from dispatcher.audio.packets import pack
from dispatcher.catalogue.conversation import Endpointing
from dispatcher.catalogue.model import Instance, ServiceConfig
from dispatcher.device_simulator import DeviceOptions
from dispatcher.device_simulator.speech import encode
from dispatcher.device_simulator.speech import silence as room
from dispatcher.devices.registry import client_digest
from dispatcher.front.connection.device_reader import MistakeLog
from dispatcher.front.connection.listen_controller import ListenController
from dispatcher.front.connection.microphone import Microphone
from dispatcher.front.connection.pause_judge import PauseJudge
from dispatcher.front.connection.protocol import AudioParams, Listen
from dispatcher.host_metrics.host import HostMeter
from dispatcher.messages import Reply, Service
from dispatcher.redis_client import keys
from tests.support.smart_turn import MODEL
from tests.support.waiting import until
from tests.unit.audio.speech import say, silence
from tests.unit.front.fakes import DEVICE, RULES, FakeFront, FakeSocket, IdleMeter, fake_front, kinds, settle

# 60 ms of silence in one byte (RFC 6716, configuration 11).
PACKET = b"\x58"
SMART = Endpointing(strategy="smart_turn")


@dataclass
class Listening:
    """One device and the controller that listens to it."""

    front: FakeFront
    socket: FakeSocket
    controller: ListenController
    answered: list[str]

    async def sends(self, state: str, *, mode: str = "manual", text: str = "") -> None:
        await self.controller.on_listen(
            Listen.model_validate({"type": "listen", "state": state, "mode": mode, "text": text})
        )
        await settle()

    async def says(self, packets: int = 5) -> None:
        await self.sends("start")
        for _ in range(packets):
            await self.controller.on_packet(PACKET)
        await self.sends("stop")


def listening(front: FakeFront) -> Listening:
    """Return a connected device of a front."""
    socket, answered = FakeSocket(), list[str]()
    controller = ListenController(
        front.context, socket.writer(), front.profile(), MistakeLog(DEVICE), answered.append
    )
    return Listening(front, socket, controller, answered)


async def test_a_held_button_makes_a_turn_of_what_was_said() -> None:
    device = listening(fake_front())

    await device.says()

    (ticket,) = device.front.queued("asr")
    assert ticket["device_id"] == DEVICE
    assert device.controller.turn is not None
    assert ("SET", keys.claim(ticket["turn_id"])) in {each[:2] for each in device.front.redis.commands}
    assert len(device.front.context.turns) == 1


async def test_a_button_that_was_pressed_without_a_word_makes_no_turn() -> None:
    device = listening(fake_front())

    await device.says(packets=0)

    assert device.controller.turn is None
    assert device.front.queued("asr") == []
    assert kinds(device.socket.messages) == ["tts stop"]
    assert device.answered == [""]


async def test_sound_outside_an_utterance_is_dropped() -> None:
    device = listening(fake_front())

    await device.controller.on_packet(PACKET)
    await device.says(packets=0)

    assert device.front.queued("asr") == []


async def test_typed_text_goes_to_the_llm() -> None:
    device = listening(fake_front())

    await device.sends("detect", text=" how late is it? ")

    (ticket,) = device.front.queued("llm")
    assert ticket["text"] == "how late is it?"
    assert kinds(device.socket.messages) == ["stt", "tts start"]


@pytest.mark.parametrize("said", ["你好小智", "  你好，小智！"])
async def test_a_wake_word_is_no_utterance(said: str) -> None:
    device = listening(fake_front(rules=replace(RULES, wake_words=("你好小智",))))

    await device.sends("detect", text=said)

    assert device.controller.turn is None
    assert kinds(device.socket.messages) == ["tts stop"]


async def test_a_wake_word_is_greeted_where_the_persona_has_a_greeting() -> None:
    rules = replace(RULES, wake_words=("hi esp",), greeting="Here I am.")
    device = listening(fake_front(rules=rules))

    await device.sends("detect", text="Hi, ESP")

    assert len(device.front.queued("tts")) == 1
    assert device.front.queued("llm") == []


async def test_who_speaks_over_a_reply_ends_it() -> None:
    device = listening(fake_front())
    await device.says()
    (first,) = device.front.queued("asr")

    await device.says()

    assert kinds(device.socket.messages)[0] == "tts stop"
    assert len(device.front.context.turns) == 1
    assert ("PUBLISH", keys.CANCEL_CHANNEL, first["turn_id"]) in device.front.redis.commands


async def test_an_abort_is_answered_with_silence() -> None:
    device = listening(fake_front())
    await device.says()

    await device.controller.abort()

    assert device.controller.turn is None
    assert kinds(device.socket.messages) == ["tts stop"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"blocked": "1"}, b"blocked"), ({"client": client_digest("another")}, b"waits to be admitted")],
)
async def test_a_device_that_may_take_no_turn_is_disconnected(fields: dict[str, str], reason: bytes) -> None:
    device = listening(fake_front())
    device.front.register(**fields)

    await device.says()

    assert device.socket.closed_by == (1008, reason)
    assert device.front.queued("asr") == []


async def test_an_answer_is_awaited_from_the_first_word_to_the_end_of_the_turn() -> None:
    device = listening(fake_front())
    assert (device.controller.activity, device.controller.awaits_answer) == ("", False)
    await device.sends("start")
    assert (device.controller.activity, device.controller.awaits_answer) == ("listening", True)
    await device.controller.on_packet(PACKET)
    await device.sends("stop")
    assert (device.controller.activity, device.controller.awaits_answer) == ("answering", True)

    await device.controller.abort()

    assert (device.controller.activity, device.controller.awaits_answer) == ("", False)


async def test_an_open_microphone_that_finds_no_speech_awaits_nothing() -> None:
    device = listening(fake_front())

    await device.sends("start", mode="auto")

    assert (device.controller.activity, device.controller.awaits_answer) == ("listening", False)


async def test_a_device_speaks_from_the_first_sound_that_it_is_sent() -> None:
    device = listening(fake_front())
    await device.says()
    (ticket,) = device.front.queued("asr")
    transcript = Reply(turn_id=ticket["turn_id"], attempt=1, kind="transcript", text="When do we eat?")
    device.front.context.turns.route(transcript)
    seen = [device.controller.activity]

    device.front.context.turns.route(replace(transcript, kind="sentence", text="At noon."))
    device.front.context.turns.route(replace(transcript, kind="audio", packets=pack([PACKET])))
    device.front.clock.advance()

    assert [*seen, device.controller.activity] == ["answering", "speaking"]


async def test_the_end_of_a_turn_is_reported_with_what_was_said() -> None:
    device = listening(fake_front())
    await device.sends("detect", text="bye")
    (ticket,) = device.front.queued("llm")

    failed = Reply(turn_id=ticket["turn_id"], attempt=1, kind="failed", text="llm: no instance", last=True)
    device.front.context.turns.route(failed)
    device.front.context.turns.route(replace(failed, attempt=2))
    device.front.clock.advance()
    await settle()

    assert device.answered == ["bye"]
    assert kinds(device.socket.messages)[-1] == "tts stop"


async def test_a_device_that_disconnects_leaves_no_turn() -> None:
    device = listening(fake_front())
    await device.says()

    device.controller.close()

    assert len(device.front.context.turns) == 0


def streaming_asr() -> dict[Service, ServiceConfig]:
    """Return an ASR service that transcribes while the user speaks."""
    instance = Instance(name="asr-1", service="asr", provider="funasr", endpoint="ws://127.0.0.1:1")
    return {"asr": ServiceConfig(service="asr", algorithm="least_connections", instances=(instance,))}


async def test_sound_is_streamed_while_it_is_spoken_where_an_instance_transcribes_streams() -> None:
    device = listening(fake_front(services=streaming_asr()))
    await device.sends("start")

    for _ in range(3):
        await device.controller.on_packet(PACKET)
        await settle()

    (ticket,) = device.front.queued("asr")
    assert ticket["live"]
    assert list(device.front.context.turns.utterances) == [ticket["turn_id"]]
    await device.sends("stop")
    assert not device.front.context.turns.utterances
    assert len(device.front.queued("asr")) == 1
    assert len(device.front.context.turns) == 1


async def test_a_stream_whose_worker_gave_up_goes_the_common_way() -> None:
    device = listening(fake_front(services=streaming_asr()))
    await device.sends("start")
    for _ in range(3):
        await device.controller.on_packet(PACKET)
        await settle()
    (streamed,) = device.front.queued("asr")
    device.front.context.turns.route(
        Reply(turn_id=streamed["turn_id"], attempt=1, kind="failed", text="no instance")
    )

    await device.sends("stop")

    _, common = device.front.queued("asr")
    assert not common["live"]
    assert common["turn_id"] != streamed["turn_id"]


async def test_a_finished_sentence_is_answered_long_before_the_plain_silence() -> None:
    """The whole way: packets, speech, the model of finished sentences, the turn."""
    front = fake_front(rules=replace(RULES, endpointing=SMART, endpoint_silence_ms=20_000))
    judge = PauseJudge.of(MODEL, data_dir=Path(), meter=cast("HostMeter", IdleMeter()))
    device = listening(replace(front, context=replace(front.context, pause_judge=judge)))
    hello = AudioParams(format="opus")
    device.controller.microphone = Microphone(hello, device.front.context.catalogue.conversation, judge)
    long_enough = 4 * say("What is the weather like today?")

    await device.sends("start", mode="realtime")
    await until(lambda: judge.is_loaded, "the model is loaded")
    for packet in encode(long_enough + silence(0.3), DeviceOptions()):
        await device.controller.on_packet(packet)
    await until(lambda: not judge.waiting, "the pause is judged")
    quiet = islice(room(DeviceOptions()), 10)
    for packet in quiet:
        await device.controller.on_packet(packet)
    await settle()

    assert device.front.queued("asr")
    assert device.controller.turn is not None
    await device.front.context.close()

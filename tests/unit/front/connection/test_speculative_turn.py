"""Turns that begin at a pause: kept back, played where that was the end of speech, else dropped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from dispatcher.audio.packets import pack
from dispatcher.catalogue.conversation import SpeculationRules
from dispatcher.catalogue.model import Instance, ServiceConfig
from dispatcher.front.connection.microphone import Microphone
from dispatcher.front.connection.protocol import AudioParams
from dispatcher.front.connection.speculative_turn import Speculations, SpeculativeTurn
from dispatcher.front.connection.turn_runner import TurnRunner
from dispatcher.front.connection.turn_tasks import Utterance
from dispatcher.messages import Reply, Service
from dispatcher.redis_client import keys
from dispatcher.routing.rules.prediction import ServiceLoad
from tests.unit.front.fakes import RULES, FakeFront, FakeSocket, fake_front, kinds, settle

ON = replace(RULES, speculation=SpeculationRules())
AUDIO = pack([b"one", b"two"])


@dataclass
class Mic:
    """A microphone that heard as much as the test says."""

    heard_ms: tuple[int, int] = (640, 224)
    params: AudioParams = field(default_factory=AudioParams)

    def recorded(self) -> list[bytes]:
        return [b"\x58"] * 3


@dataclass
class Pause:
    """One device at a pause."""

    front: FakeFront
    mic: Mic = field(default_factory=Mic)

    def __post_init__(self) -> None:
        self.ahead = Speculations(self.front.context, self.front.profile())

    async def hears(self, voice_ms: int, quiet_ms: int) -> bool:
        self.mic.heard_ms = (voice_ms, quiet_ms)
        begun = await self.ahead.follow(cast("Microphone", self.mic), None)
        await settle()
        return begun

    def ends(self) -> SpeculativeTurn | None:
        return self.ahead.take(cast("Microphone", self.mic))

    def reply(self, kind: Any, **fields: Any) -> None:
        turn_id = self.front.queued("asr")[-1]["turn_id"]
        self.front.context.turns.route(Reply(turn_id=turn_id, kind=kind, **{"attempt": 1, **fields}))

    def answer(self) -> None:
        self.reply("transcript", text="When do we eat?")
        self.reply("sentence", text="At noon.")
        self.reply("audio", packets=AUDIO, last=True)


def is_cancelled(front: FakeFront) -> bool:
    turn_id = front.queued("asr")[0]["turn_id"]
    return ("SET", keys.cancelled(turn_id)) in {each[:2] for each in front.redis.commands}


def committed(front: FakeFront, ahead: SpeculativeTurn) -> FakeSocket:
    """Run the turn that a speculation became."""
    socket = FakeSocket()
    ticket = replace(ahead.ticket, speculative=False)
    utterance = Utterance(ticket=ticket, recording=(b"\x58",) * 9, begun=ahead, silence_ms=704)
    TurnRunner(front.context, socket.writer(), utterance, lambda _: None).start()
    return socket


async def test_what_came_before_the_end_of_speech_is_played_at_it() -> None:
    pause = Pause(fake_front(rules=ON))
    assert await pause.hears(640, 224)
    (ticket,) = pause.front.queued("asr")
    assert ticket["speculative"]
    pause.answer()
    assert not pause.front.redis.lists[keys.history(ticket["device_id"])]

    ahead = pause.ends()
    assert ahead is not None
    socket = committed(pause.front, ahead)
    pause.reply("end", index=1)
    pause.front.clock.advance()
    await settle()
    assert kinds(socket.messages) == ["stt", "tts start", "tts sentence_start"]
    assert [each for each in socket.written if isinstance(each, bytes)] == [b"one", b"two"]
    assert ("SET", keys.committed(ticket["turn_id"])) in {each[:2] for each in pause.front.redis.commands}
    assert len(pause.front.queued("asr")) == 1, "nothing was sent twice"


async def test_speech_that_goes_on_drops_it_and_what_it_had_an_llm_do_is_wasted() -> None:
    pause = Pause(fake_front(rules=ON))
    await pause.hears(640, 224)
    pause.answer()
    assert not await pause.hears(672, 0)
    assert is_cancelled(pause.front)
    assert not pause.front.context.turns.utterances
    while pause.front.context.waste_budget.try_spend():
        pass
    assert not await pause.hears(960, 224), "the budget has nothing left"
    assert pause.ends() is None


async def test_a_click_between_the_pause_and_the_end_drops_it() -> None:
    pause = Pause(fake_front(rules=ON))
    await pause.hears(640, 224)
    pause.mic.heard_ms = (672, 0)
    assert pause.ends() is None
    await settle()
    assert is_cancelled(pause.front)
    assert await pause.hears(960, 224), "no LLM was asked, so it is paid back"


async def test_an_utterance_without_words_is_dropped() -> None:
    pause = Pause(fake_front(rules=ON))
    await pause.hears(640, 224)
    pause.reply("transcript", text="")
    await settle()
    assert is_cancelled(pause.front)
    assert pause.ends() is None


async def test_what_had_no_spare_slot_is_sent_again_as_a_real_call() -> None:
    pause = Pause(fake_front(rules=ON))
    await pause.hears(640, 224)
    pause.reply("transcript", text="When do we eat?")
    pause.reply("lost", text="llm", last=True)
    ahead = pause.ends()
    assert ahead is not None
    committed(pause.front, ahead)
    await settle()
    (again,) = pause.front.queued("llm")
    assert (again["attempt"], again["text"]) == (2, "When do we eat?")
    assert "speculative" not in again


@pytest.mark.parametrize("why", ["busy", "draining", "paid"])
async def test_no_turn_begins_at_a_pause(why: str) -> None:
    key = "SOME_KEY" if why == "paid" else None
    llm = Instance(service="llm", name="llm-1", endpoint="http://127.0.0.1:9", api_key_env=key)
    services: dict[Service, ServiceConfig] = {
        "llm": ServiceConfig(service="llm", algorithm="response_time", instances=(llm,))
    }
    front = fake_front(rules=ON, services=services)
    front.context.status.draining = why == "draining"
    if why == "busy":
        front.context.loads.current = {"llm": ServiceLoad(slots=1, in_flight=1)}
    assert not await Pause(front).hears(640, 224)
    assert front.queued("asr") == []

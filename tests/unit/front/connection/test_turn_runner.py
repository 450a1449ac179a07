"""One turn: its replies on the device, its late stages, its end."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from dispatcher.audio.packets import pack
from dispatcher.catalogue.conversation import FillerRules
from dispatcher.catalogue.model import PhraseRules
from dispatcher.catalogue.overload_rules import OverloadRules
from dispatcher.dialogue_store.phrase_cache import Finding
from dispatcher.front.connection.protocol import AudioParams
from dispatcher.front.connection.turn_runner import TurnRunner
from dispatcher.front.connection.turn_tasks import Utterance
from dispatcher.messages import Reply, TurnTicket
from dispatcher.redis_client import keys
from dispatcher.routing.rules.prediction import ServiceLoad
from dispatcher.tools.device_calls import DeviceCall
from tests.unit.front.fakes import RULES, FakeFront, FakeSocket, fake_front, kinds, settle
from tests.unit.pipeline.fake_phrases import FakePhrases

AUDIO = pack([b"one", b"two"])


@dataclass
class Turn:
    """A turn that runs, and the device that it is played to."""

    front: FakeFront
    socket: FakeSocket
    runner: TurnRunner
    ticket: TurnTicket
    ended: list[bool]

    def reply(self, kind: Any, **fields: Any) -> None:
        fields = {"attempt": 1, **fields}
        self.front.context.turns.route(Reply(turn_id=self.ticket.turn_id, kind=kind, **fields))

    def answer(self) -> None:
        """Send all of a short answer, and play it."""
        self.reply("sentence", text="At noon.", timings={"llm_instance": "llm-2"})
        self.reply("audio", packets=AUDIO, last=True)
        self.reply("end", index=1)
        self.front.clock.advance()


async def running(
    front: FakeFront, *, text: str = "", phrase: str = "", said: int = 3, silence_ms: int = 0
) -> Turn:
    """Start a turn of what was said or typed."""
    ticket = await front.profile().new_ticket(AudioParams(), timeout_s=60, text=text)
    recording = () if text else (b"\x58",) * said
    socket, ended = FakeSocket(), list[bool]()
    utterance = Utterance(
        ticket=ticket, device_name="kitchen", recording=recording, phrase=phrase, silence_ms=silence_ms
    )
    runner = TurnRunner(front.context, socket.writer(), utterance, ended.append)
    runner.start()
    await settle()
    return Turn(front, socket, runner, ticket, ended)


async def test_a_turn_shows_what_was_said_and_plays_the_answer() -> None:
    turn = await running(fake_front())
    turn.reply("transcript", text="When do we eat?")
    turn.reply("emotion", text="happy")
    turn.answer()

    assert kinds(turn.socket.messages) == ["stt", "tts start", "llm", "tts sentence_start"]
    assert [each for each in turn.socket.written if isinstance(each, bytes)] == [b"one", b"two"]
    assert turn.ended == [True]
    assert turn.runner.transcript == "When do we eat?"
    assert len(turn.front.context.turns) == 0
    assert turn.front.context.turns.begun == 1


async def test_the_transcript_tells_when_speech_ended_where_the_device_did_not() -> None:
    by_silence, by_button = await running(fake_front(), silence_ms=704), await running(fake_front())
    for turn in (by_silence, by_button):
        turn.reply("transcript", text="When do we eat?")

    told, plain = (turn.socket.messages[0] for turn in (by_silence, by_button))
    assert told["silence_ms"] == told["speech_ended_ms_ago"] == 704
    assert plain == {"type": "stt", "text": "When do we eat?"}


async def test_a_turn_is_reported_once_when_it_was_played() -> None:
    turn = await running(fake_front(), text="when?")
    with capture_logs() as logged:
        turn.answer()
        turn.runner.cancel(spoken_over=False)

    (report,) = [line for line in logged if line["event"] == "turn finished"]
    assert (report["outcome"], report["sentences"], report["frames"]) == ("answered", 1, 2)
    assert report["llm_instance"] == "llm-2"
    assert 0 < report["first_audio_ms"] < report["played_ms"]


async def test_an_utterance_without_words_ends_without_a_sound() -> None:
    turn = await running(fake_front())
    turn.reply("transcript", text="")
    turn.reply("end", index=0)

    assert turn.ended == [False]
    assert "tts sentence_start" not in kinds(turn.socket.messages)


async def test_a_clock_that_is_set_makes_no_turn_older_that_is_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turn = await running(fake_front())
    true_s = time.time
    monkeypatch.setattr(time, "time", lambda: true_s() + 3600)
    turn.front.clock.advance(2.5)
    turn.front.context.turns.check_late()
    await settle()
    first, again = turn.front.queued("asr")
    assert again["deadline_at_s"] - first["deadline_at_s"] == pytest.approx(3600, abs=1)


@pytest.mark.parametrize("is_on", [True, False])
async def test_a_stage_that_may_be_queued_is_late_where_overload_is_off(*, is_on: bool) -> None:
    front = fake_front()
    active = front.context.active
    active.current = replace(active.current, overload=OverloadRules(enabled=is_on))
    await running(front)
    front.context.loads.current = {"asr": ServiceLoad(slots=1, in_flight=1, queued=1, queued_s=99)}
    front.clock.advance(2.5)
    front.context.turns.check_late()
    await settle()
    assert len(front.queued("asr")) == (1 if is_on else 2)


async def test_a_late_stage_is_sent_again_and_then_apologised_for() -> None:
    turn = await running(fake_front())
    for attempts in (2, 2):
        turn.front.clock.advance(2.5)
        turn.front.context.turns.check_late()
        await settle()
        assert [each["attempt"] for each in turn.front.queued("asr")] == [1, 2][:attempts]

    turn.front.clock.advance()
    assert turn.ended == [True]
    assert kinds(turn.socket.messages) == ["tts start", "tts sentence_start"]


async def test_a_full_queue_is_apologised_for_at_once() -> None:
    front = fake_front(queue_limit=1)
    front.redis.lists["llm"] = ["a task of another turn"]

    with capture_logs() as logged:
        turn = await running(front, text="hello")
        turn.front.clock.advance()

    assert turn.ended == [True]
    (apologised,) = [line for line in logged if line["event"] == "turn apologised for"]
    assert "at most 1 are let in" in apologised["reason"]


async def test_an_answer_that_breaks_off_is_said_to() -> None:
    turn = await running(fake_front(), text="tell me a story")
    turn.reply("sentence", text="Once there was a king.")
    turn.reply("audio", packets=AUDIO, last=True)
    for attempt in (1, 2):
        turn.reply("failed", attempt=attempt, text="llm: connection lost")
    with capture_logs() as logged:
        turn.front.clock.advance()

    (report,) = [line for line in logged if line["event"] == "turn finished"]
    assert (report["outcome"], report["sentences"]) == ("cut", 1)
    assert kinds(turn.socket.messages).count("tts sentence_start") == 2


async def test_a_cancelled_turn_is_dropped_everywhere() -> None:
    turn = await running(fake_front())
    with capture_logs() as logged:
        turn.runner.cancel(spoken_over=True)
        turn.answer()
    await settle()

    assert [line["outcome"] for line in logged if line["event"] == "turn finished"] == ["spoken over"]
    assert turn.ended == []
    assert ("PUBLISH", keys.CANCEL_CHANNEL, turn.ticket.turn_id) in turn.front.redis.commands


async def test_a_phrase_that_is_known_needs_no_llm() -> None:
    turn = await running(fake_front(), text="hi esp", phrase="Here I am.")
    turn.reply("audio", packets=AUDIO, last=True)
    turn.front.clock.advance()

    assert turn.ended == [True]
    assert (len(turn.front.queued("tts")), turn.front.queued("llm")) == (1, [])


async def test_a_filler_is_spoken_while_the_answer_is_awaited_and_is_no_part_of_it() -> None:
    rules = replace(RULES, filler=FillerRules(after_ms=500, phrases={"en": ("Let me see.",)}))
    turn = await running(fake_front(rules=rules), text="when?")
    turn.front.clock.advance(0.6)
    turn.front.context.turns.check_late()
    await settle()
    assert len(turn.front.queued("tts")) == 1
    turn.reply("audio", attempt=2, index=1_000_000, packets=AUDIO, last=True)

    with capture_logs() as logged:
        turn.answer()

    shown = [each["text"] for each in turn.socket.messages if each.get("state") == "sentence_start"]
    assert shown == ["Let me see.", "At noon."]
    (report,) = [line for line in logged if line["event"] == "turn finished"]
    assert report["sentences"] == 1


async def test_the_call_of_a_tool_is_answered_also_for_a_device_without_tools() -> None:
    turn = await running(fake_front(), text="light on")
    turn.reply("tool", text=DeviceCall(call_id="c", tool="light", arguments={}).as_text())
    await settle()

    assert keys.answer("c") in str(turn.front.redis.scripts + turn.front.redis.commands)


def with_phrases(front: FakeFront, *findings: Finding) -> FakePhrases:
    """Switch the phrase cache of a front on; it answers these."""
    phrases = FakePhrases(*findings, packed=AUDIO)
    context = replace(front.context, phrases=cast("Any", phrases))
    context.active.current = replace(context.catalogue, phrase_cache=PhraseRules())
    front.context = context
    return phrases


def reports(logged: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    (report,) = [line for line in logged if line["event"] == "turn finished"]
    return report


async def test_a_greeting_of_the_cache_is_played_without_a_task() -> None:
    front = fake_front()
    phrases = with_phrases(front, "hit")
    with capture_logs() as logged:
        turn = await running(front, text="小智", phrase="I am here.")
        turn.front.clock.advance()
    assert [each for each in turn.socket.written if isinstance(each, bytes)] == [b"one", b"two"]
    assert front.queued("tts") == []
    assert phrases.asked == [("I am here.", False)]
    report = reports(logged)
    assert (report["outcome"], report["cached_phrases"]) == ("answered", 1)
    assert report["tts_instance"] == "phrase-cache"


async def test_a_greeting_that_is_not_kept_yet_is_made_to_be_kept() -> None:
    front = fake_front()
    with_phrases(front, "keep")
    await running(front, text="小智", phrase="I am here.")
    (task,) = front.redis.lists["tts"]
    assert json.loads(json.loads(task)["body"])[0][1:] == [0, "I am here.", "fixed"]


async def test_a_filler_of_the_cache_is_played_at_once_and_never_a_second_one() -> None:
    rules = replace(RULES, filler=FillerRules(after_ms=500, phrases={"en": ("Let me see.",)}))
    front = fake_front(rules=rules)
    phrases = with_phrases(front, "hit", "hit")
    turn = await running(front, text="when?")
    for _ in range(3):
        turn.front.clock.advance(0.6)
        turn.front.context.turns.check_late()
        await settle()
    assert phrases.asked == [("Let me see.", False)]
    with capture_logs() as logged:
        turn.answer()
    shown = [each["text"] for each in turn.socket.messages if each.get("state") == "sentence_start"]
    assert shown == ["Let me see.", "At noon."]
    assert reports(logged)["cached_phrases"] == 1


@pytest.mark.parametrize(("finding", "cached"), [("hit", True), ("keep", False), ("pass", False)])
async def test_an_apology_is_in_the_voice_of_the_persona_where_the_cache_has_it(
    finding: Finding, *, cached: bool
) -> None:
    front = fake_front()
    phrases = with_phrases(front, finding)
    turn = await running(front, text="when?")
    with capture_logs() as logged:
        turn.reply("failed", text="llm: none healthy")
        turn.front.clock.advance(3)
        turn.front.context.turns.check_late()
        await settle()
        turn.front.clock.advance()
    sound = [each for each in turn.socket.written if isinstance(each, bytes)]
    assert (sound == [b"one", b"two"]) is cached
    assert len(sound) > 1
    assert phrases.asked == [("Sorry, I could not answer that. Please try again.", False)]
    report = reports(logged)
    assert (report["outcome"], report.get("cached_phrases", 0)) == ("apologised", int(cached))

"""The ladder of overload of one front, and what its turns begin on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from dispatcher.catalogue.overload_rules import OverloadRules
from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.front.connection.overload_ladder import OverloadLadder
from dispatcher.front.connection.prefill_request import PrefillRequests
from dispatcher.front.connection.protocol import AudioParams
from dispatcher.front.connection.service_loads import ServiceLoads
from dispatcher.messages import Service
from dispatcher.routing.rules.overload import OverloadStep
from dispatcher.routing.rules.prediction import ServiceLoad
from tests.unit.front.connection.test_turn_runner import reports, running
from tests.unit.front.fakes import FakeFront, fake_front, settle

RULES = OverloadRules()


def line_of(calls: int, *, workers: int = 1) -> dict[Service, ServiceLoad]:
    """Return a full LLM for whose slots so many calls wait, a second each."""
    return {"llm": ServiceLoad(slots=1, in_flight=1, waiting=calls, hold_s=1.0, workers=workers)}


def ladder_at(calls: int) -> OverloadLadder:
    loads = ServiceLoads()
    loads.current = line_of(calls)
    return OverloadLadder(loads)


def crowded(calls: int, *, highest_step: int = 5) -> FakeFront:
    front = fake_front()
    front.context.loads.current = line_of(calls)
    active = front.context.active
    active.current = replace(active.current, overload=OverloadRules(highest_step=highest_step))
    return front


def test_a_change_is_logged_once_and_counted() -> None:
    ladder = ladder_at(21)
    with capture_logs() as logged:
        for _ in range(3):
            ladder.follow(RULES)
    (change,) = logged
    assert (change["step"], change["before"], change["line_s"]) == (5, 0, 21.0)
    assert ladder.taken == {OverloadStep.TOO_MANY: 1}
    assert not ladder.allows_extras
    ladder.follow(OverloadRules(enabled=False))
    assert ladder.step is OverloadStep.FULL


def test_a_pin_holds_whatever_the_load_and_ends_with_auto() -> None:
    ladder = ladder_at(0)
    ladder.pin(5)
    assert ladder.step_of_turn(RULES) is OverloadStep.TOO_MANY
    assert "pinned" in ladder.refusal(OverloadStep.TOO_MANY, RULES)
    ladder.pin(None)
    assert ladder.step_of_turn(RULES) is OverloadStep.FULL
    assert ladder.refusal(OverloadStep.FULL, RULES) == ""


def test_a_queue_without_a_worker_is_no_overload() -> None:
    ladder = ladder_at(0)
    ladder._loads.current = line_of(99, workers=0)
    assert ladder.step_of_turn(RULES) is OverloadStep.FULL


@pytest.mark.parametrize("text", ["", "when?"])
async def test_with_too_many_in_line_a_turn_is_told_so_at_once_and_sends_no_task(text: str) -> None:
    front = crowded(21)
    with capture_logs() as logged:
        turn = await running(front, text=text)
        front.clock.advance()
    shown = [each["text"] for each in turn.socket.messages if each.get("state") == "sentence_start"]
    assert shown == [APOLOGIES["busy", "en"]]
    assert turn.ended == [True]
    assert (front.queued("asr"), front.queued("llm")) == ([], [])
    report = reports(logged)
    assert (report["outcome"], report["overload_step"]) == ("turned away", 5)
    assert report["reason"] == "too many at once: a line of 21.0 s, 20 s is too long"
    assert report["first_audio_ms"] < 1000
    assert front.context.ladder.turned_away == 1


async def test_a_turn_that_is_let_in_carries_its_step_and_one_without_a_line_none() -> None:
    front = crowded(21, highest_step=4)
    await running(front, text="when?")
    assert [each.get("overload_step") for each in front.queued("llm")] == [1]
    # With the turn that was sent since the reading, one slot of three is free.
    front.context.loads.current = {"llm": ServiceLoad(slots=3, in_flight=1, hold_s=1.0, workers=1)}
    await running(front, text="when?")
    assert "overload_step" not in front.queued("llm")[-1]


async def test_a_turn_is_turned_away_at_its_transcript_where_too_many_came_before_it() -> None:
    front = fake_front()
    turn = await running(front)
    front.context.loads.current = line_of(21)
    front.context.ladder.follow(RULES)
    with capture_logs() as logged:
        turn.reply("transcript", text="When do we eat?")
        await settle()
        front.clock.advance()
        turn.reply("sentence", text="At noon.")
    assert reports(logged)["outcome"] == "turned away"
    shown = [each["text"] for each in turn.socket.messages if "text" in each]
    assert shown == ["When do we eat?", APOLOGIES["busy", "en"]]


async def test_a_greeting_is_said_on_any_step() -> None:
    front = crowded(21)
    await running(front, text="hi esp", phrase="Here I am.")
    assert len(front.queued("tts")) == 1


async def test_nothing_is_read_ahead_on_any_step() -> None:
    front = crowded(21)
    front.context.ladder.follow(RULES)
    await PrefillRequests(front.context, front.profile()).send(None, AudioParams())
    await settle()
    assert front.queued("llm") == []

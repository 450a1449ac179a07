"""One turn whose LLM thinks: signs of life, and the filler meanwhile."""

from __future__ import annotations

import pytest

from dispatcher.audio.packets import pack
from dispatcher.dialogue.filler import FILLER_INDEX, FILLER_PAUSE_S, is_filler_due
from dispatcher.dialogue.steps import (
    Apologise,
    AskForFiller,
    Finish,
    PlayFiller,
    SendAgain,
    Step,
    Subtitle,
)
from dispatcher.dialogue.turn import Turn
from dispatcher.messages import Reply
from tests.unit.dialogue.replies import audio, end, failed, play, sentence, transcript

LATE_S = 10.0
FILLER_S = 2.0


def alive() -> Reply:
    return Reply(turn_id="a-turn", attempt=1, kind="alive")


class Clock:
    """A turn and the time that it is told."""

    def __init__(self, *, typed: bool = True) -> None:
        self.now = 100.0
        self.turn = Turn(
            text="Hi!" if typed else "", now=self.now, stage_timeout_s=LATE_S, filler_after_s=FILLER_S
        )

    def gets(self, *replies: Reply) -> list[Step]:
        return [step for reply in replies for step in self.turn.on_reply(reply, self.now)]

    def waits(self, seconds: float) -> list[Step]:
        self.now += seconds
        return self.turn.on_clock(self.now)


def filler(packets: bytes, *, last: bool = False) -> Reply:
    return audio(FILLER_INDEX, packets, last=last, attempt=2)


ANSWER = (sentence(0, "One."), audio(0, b"one", last=True), end(1))
SPOKEN: list[Step] = [Subtitle("One."), play(b"one"), Finish()]


def test_an_llm_that_thinks_is_neither_sent_again_nor_given_up_and_its_time_is_told() -> None:
    clock = Clock()
    assert clock.waits(FILLER_S) == [AskForFiller(2)]
    for _ in range(40):
        assert clock.gets(alive()) == []
        assert clock.waits(1) == []
    assert clock.turn.clock.alive_s == 41
    assert clock.gets(*ANSWER) == SPOKEN


def test_an_llm_whose_signs_of_life_end_is_sent_again() -> None:
    clock = Clock()
    clock.waits(FILLER_S)
    clock.gets(alive())
    assert clock.waits(LATE_S) == [SendAgain("llm", 3)]
    assert clock.waits(LATE_S) == [Apologise("llm: no answer in time")]


def test_a_fast_answer_has_no_filler() -> None:
    clock = Clock()
    assert clock.gets(*ANSWER[:2]) == SPOKEN[:2]
    assert clock.waits(FILLER_S) == []


def test_the_filler_comes_once_and_before_the_answer() -> None:
    clock = Clock()
    assert clock.waits(FILLER_S - 0.1) == []
    assert clock.waits(0.1) == [AskForFiller(2)]
    assert clock.gets(filler(b"f1"), *ANSWER) == [PlayFiller(pack([b"f1"]))]
    assert clock.gets(filler(b"f2", last=True)) == [PlayFiller(pack([b"f2"])), *SPOKEN]
    assert clock.waits(FILLER_S) == []


def test_an_answer_that_is_quicker_than_the_filler_is_spoken_without_it() -> None:
    clock = Clock()
    clock.waits(FILLER_S)
    assert clock.gets(*ANSWER[:2], filler(b"f"), ANSWER[2]) == SPOKEN


def test_a_filler_that_cannot_be_spoken_costs_nothing() -> None:
    clock = Clock()
    clock.waits(FILLER_S)
    assert clock.gets(failed("tts: away", index=FILLER_INDEX, attempt=2), *ANSWER) == SPOKEN


def test_a_filler_that_stops_in_its_middle_lets_the_answer_pass() -> None:
    clock = Clock()
    clock.waits(FILLER_S)
    assert clock.gets(filler(b"f"), *ANSWER) == [PlayFiller(pack([b"f"]))]
    assert clock.waits(FILLER_PAUSE_S) == SPOKEN
    assert clock.gets(filler(b"g")) == []


def test_a_slow_transcript_has_a_filler_too_and_the_ears_lateness_counts_on() -> None:
    clock = Clock(typed=False)
    assert clock.waits(FILLER_S) == [AskForFiller(2)]
    clock.gets(filler(b"f", last=True))
    assert clock.waits(LATE_S - FILLER_S) == [SendAgain("asr", 3)]
    clock.gets(transcript("Hi!", attempt=3))
    assert clock.gets(sentence(0, "One.", attempt=3), audio(0, b"one", last=True, attempt=3)) == SPOKEN[:2]


def test_a_reply_that_was_ended_tells_why() -> None:
    clock = Clock()
    clock.gets(*ANSWER[:2])
    over = Reply(turn_id="a-turn", attempt=1, kind="end", index=1, text="the reply repeats itself")
    assert clock.gets(over) == [Finish()]
    assert clock.turn.ended_because == "the reply repeats itself"


@pytest.mark.parametrize(
    ("waited_s", "predicted_s", "is_due"),
    [
        (2.0, 0.0, True),
        (1.9, 0.0, False),
        (1.5, 0.6, False),
        (1.5, 1.2, True),
        (0.5, 1.6, True),
        (0.5, 1.4, False),
        (0.4, 9.0, False),
    ],
)
def test_a_filler_is_due_early_where_the_answer_is_expected_late(
    waited_s: float, predicted_s: float, *, is_due: bool
) -> None:
    assert is_filler_due(waited_s, predicted_s, FILLER_S) is is_due


def test_the_prediction_is_asked_of_the_stage_that_is_waited_for_and_of_a_waiting_filler_alone() -> None:
    clock = Clock(typed=False)
    asked: list[tuple[str, float]] = []

    def predict(stage: str, begun_s: float) -> float:
        asked.append((stage, round(begun_s, 3)))
        return 5.0

    clock.now += 0.3
    assert clock.turn.on_clock(clock.now, predict) == []
    clock.gets(transcript("when?"))
    clock.now += 0.3
    assert clock.turn.on_clock(clock.now, predict) == [AskForFiller(2)]
    clock.now += 0.3
    assert clock.turn.on_clock(clock.now, predict) == []
    # Of an utterance that may be no speech at all nothing is expected yet.
    assert asked == [("llm", 0.3)]


def test_a_turn_without_a_filler_asks_for_no_prediction() -> None:
    turn = Turn(text="Hi!", now=0.0, stage_timeout_s=LATE_S)
    assert turn.on_clock(5.0, lambda *_: 1 / 0) == []

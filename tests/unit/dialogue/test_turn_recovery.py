from __future__ import annotations

import pytest

from dispatcher.dialogue.speech_order import SpeechOrder
from dispatcher.dialogue.stage_attempts import StageAttempts
from dispatcher.dialogue.steps import Apologise, BreakOff, SendAgain, Stage
from dispatcher.dialogue.turn_recovery import TurnRecovery
from tests.unit.dialogue.replies import audio, failed, lost, sentence


class Recovering:
    """The parts of a turn that waits for a stage, and its recovery."""

    def __init__(self, stage: Stage, *written: str, spoken: int = 0) -> None:
        self.attempts = StageAttempts(stage)
        self.speech = SpeechOrder()
        for index, text in enumerate(written):
            self.attempts.try_win_llm(1)
            self.attempts.stage = "tts"
            self.speech.add_sentence(sentence(index, text))
        for index in range(spoken):
            self.speech.add_audio(audio(index, b"x", last=True))
        self.speech.hand_over()
        self.recovery = TurnRecovery(self.attempts, self.speech)


@pytest.mark.parametrize("stage", ["asr", "llm"])
def test_a_late_stage_is_sent_again_once_and_then_given_up(stage: Stage) -> None:
    recovery = Recovering(stage).recovery
    assert recovery.on_late() == [SendAgain(stage, 2)]
    assert recovery.on_late() == [Apologise(f"{stage}: no answer in time")]


def test_late_audio_is_sent_again_once_and_then_given_up() -> None:
    recovery = Recovering("llm", "One.").recovery
    assert recovery.on_late() == [SendAgain("tts", 2, 0, "One.")]
    assert recovery.on_late() == [Apologise("tts: no answer in time")]


def test_a_reply_that_stops_is_resumed_once_and_then_ends_with_its_sentences() -> None:
    turn = Recovering("llm", "One.", spoken=1)
    assert turn.recovery.on_late() == [SendAgain("llm", 2, 1, "One.")]
    assert turn.recovery.on_failed(failed("llm: broke", attempt=2)) == []
    assert (turn.recovery.cut_reason, turn.speech.total) == ("llm: broke", 1)


def test_a_failure_before_a_sentence_is_an_apology_and_after_one_a_break() -> None:
    assert Recovering("llm").recovery.on_failed(failed("llm: broke")) == [Apologise("llm: broke")]
    assert Recovering("llm", "One.", spoken=1).recovery.give_up("x") == [BreakOff("x")]


@pytest.mark.parametrize("reply", [failed("llm: broke", attempt=7), failed("asr: broke")])
def test_a_failure_of_another_sending_or_of_a_stage_that_is_over_is_ignored(reply: object) -> None:
    assert Recovering("llm").recovery.on_failed(reply) == []  # type: ignore[arg-type]


def test_after_a_tool_the_llm_is_not_sent_again() -> None:
    recovery = Recovering("llm").recovery
    recovery.has_acted = True
    assert recovery.on_late() == [Apologise("llm: no answer in time")]


def test_a_lost_stage_is_sent_again_beyond_the_common_bound() -> None:
    recovery = Recovering("llm").recovery
    attempts = [recovery.on_lost(lost("llm", attempt=attempt)) for attempt in (1, 2, 3, 4)]
    assert attempts[:3] == [[SendAgain("llm", attempt)] for attempt in (2, 3, 4)]


def test_a_loss_of_what_was_done_already_is_ignored() -> None:
    turn = Recovering("llm", "One.", spoken=1)
    assert turn.recovery.on_lost(lost("asr")) == []
    assert turn.recovery.on_lost(lost("tts", index=0)) == []
    turn.speech.end_at(1)
    assert turn.recovery.on_lost(lost("llm")) == []


def test_lost_audio_is_sent_again() -> None:
    turn = Recovering("llm", "One.")
    assert turn.recovery.on_lost(lost("tts")) == [SendAgain("tts", 2, 0, "One.")]

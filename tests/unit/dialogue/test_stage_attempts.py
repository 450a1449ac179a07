from __future__ import annotations

from dispatcher.dialogue.stage_attempts import LOST_SENDINGS, SENDINGS, StageAttempts


def test_no_two_sendings_share_an_attempt() -> None:
    attempts = StageAttempts("asr")
    assert [attempts.next_attempt(), attempts.spend_sending(), attempts.replace_llm()] == [2, 3, 4]


def test_a_stage_is_sent_again_once() -> None:
    attempts = StageAttempts("llm")
    assert attempts.spend_sending() == SENDINGS
    assert not attempts.may_send_again


def test_a_lost_worker_allows_one_sending_more_up_to_a_bound() -> None:
    attempts = StageAttempts("llm")
    for attempt in range(LOST_SENDINGS + 2):
        attempts.count_loss("llm", attempt)
    assert sendings_left(attempts) == SENDINGS - 1 + LOST_SENDINGS


def test_a_loss_whose_worker_shows_life_again_does_not_count() -> None:
    attempts = StageAttempts("llm")
    for attempt in range(9):
        attempts.count_loss("llm", attempt)
        attempts.note_life("llm", attempt)
    attempts.note_life("llm", 1)
    attempts.count_loss("llm", 9)
    assert sendings_left(attempts) == SENDINGS - 1 + 9 + 1, "each had a sending, and one is lost in earnest"


def sendings_left(attempts: StageAttempts) -> int:
    """Return how often a stage may be sent again."""
    count = 0
    while attempts.may_send_again:
        attempts.spend_sending()
        count += 1
    return count


def test_audio_of_a_sentence_is_no_stage_that_is_sent_again_as_a_whole() -> None:
    attempts = StageAttempts("llm")
    attempts.stage = "tts"
    assert not attempts.may_send_again


def test_the_newest_sending_is_awaited_until_an_llm_delivers() -> None:
    attempts = StageAttempts("llm")
    newer = attempts.spend_sending()
    assert (attempts.is_awaited(1), attempts.is_awaited(newer)) == (False, True)

    assert attempts.try_win_llm(1)
    assert not attempts.try_win_llm(newer)
    assert (attempts.is_awaited(1), attempts.is_awaited(newer), attempts.has_llm) == (True, False, True)


def test_a_replaced_llm_is_heard_no_more() -> None:
    attempts = StageAttempts("llm")
    attempts.try_win_llm(1)
    substitute = attempts.replace_llm()
    assert (attempts.try_win_llm(1), attempts.try_win_llm(substitute)) == (False, True)


def test_a_transcript_names_the_attempt_that_goes_on() -> None:
    attempts = StageAttempts("asr")
    attempts.spend_sending()
    attempts.await_attempt(1)
    assert attempts.is_awaited(1)

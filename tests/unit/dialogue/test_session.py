"""What a connection does with what the device says, in every mode and phase."""

from __future__ import annotations

import pytest

from dispatcher.dialogue.session import Command, Mode, Phase, Session

MODES: tuple[Mode, ...] = ("manual", "auto", "realtime")
SPOKEN_OVER = [Command.CANCEL_TURN, Command.SAY_STOP]


def listening(mode: Mode) -> Session:
    session = Session()
    session.listen_start(mode)
    return session


def answering(mode: Mode) -> Session:
    session = listening(mode)
    session.listen_stop()
    return session


def test_a_new_session_is_idle_and_hears_nothing() -> None:
    session = Session()

    assert session.phase is Phase.IDLE
    assert not session.records
    assert not session.watches_speech


@pytest.mark.parametrize(("mode", "watches"), [("manual", False), ("auto", True), ("realtime", True)])
def test_only_a_device_with_a_button_says_itself_when_its_utterance_is_over(
    mode: Mode, *, watches: bool
) -> None:
    session = listening(mode)

    assert session.records
    assert session.watches_speech is watches


@pytest.mark.parametrize(("mode", "records"), [("manual", False), ("auto", False), ("realtime", True)])
def test_audio_during_a_reply_is_heard_in_realtime_only(mode: Mode, *, records: bool) -> None:
    session = answering(mode)

    assert session.records is records
    assert session.watches_speech is records


@pytest.mark.parametrize("mode", MODES)
def test_listen_start_opens_an_utterance(mode: Mode) -> None:
    assert Session().listen_start(mode) == [Command.OPEN_UTTERANCE]


@pytest.mark.parametrize("mode", MODES)
def test_listen_start_during_a_reply_speaks_over_it(mode: Mode) -> None:
    session = answering(mode)

    assert session.listen_start(mode) == [*SPOKEN_OVER, Command.OPEN_UTTERANCE]
    assert session.phase is Phase.LISTENING


def test_a_released_button_sends_the_utterance_once() -> None:
    session = listening("manual")

    assert session.listen_stop() == [Command.SEND_UTTERANCE]
    assert session.phase is Phase.ANSWERING
    assert session.listen_stop() == []


def test_a_released_button_while_idle_sends_nothing() -> None:
    assert Session().listen_stop() == []


@pytest.mark.parametrize("mode", ["auto", "realtime"])
def test_the_end_of_speech_sends_the_utterance_once(mode: Mode) -> None:
    session = listening(mode)

    assert session.speech_started() == []
    assert session.listen_stop() == [Command.SEND_UTTERANCE]
    assert session.listen_stop() == []


def test_speech_over_a_reply_is_a_barge_in_and_the_next_utterance() -> None:
    session = answering("realtime")

    assert session.speech_started() == SPOKEN_OVER
    assert session.phase is Phase.LISTENING
    assert session.listen_stop() == [Command.SEND_UTTERANCE]


def test_a_typed_text_starts_a_turn() -> None:
    for session in (Session(), *map(listening, MODES)):
        assert session.typed() == [Command.SEND_TEXT]
        assert session.phase is Phase.ANSWERING


def test_a_typed_text_during_a_reply_takes_its_place() -> None:
    assert answering("auto").typed() == [*SPOKEN_OVER, Command.SEND_TEXT]


@pytest.mark.parametrize("mode", MODES)
def test_an_abort_during_a_reply_ends_it_and_says_stop(mode: Mode) -> None:
    assert answering(mode).abort() == SPOKEN_OVER


def test_an_abort_without_a_reply_is_answered_with_stop_all_the_same() -> None:
    for session in (Session(), *map(listening, MODES)):
        assert session.abort() == [Command.SAY_STOP]


@pytest.mark.parametrize(
    ("mode", "phase"),
    [("manual", Phase.IDLE), ("auto", Phase.LISTENING), ("realtime", Phase.LISTENING)],
)
def test_an_abort_leaves_no_device_deaf_whose_microphone_is_on(mode: Mode, phase: Phase) -> None:
    for session in (listening(mode), answering(mode)):
        session.abort()
        assert session.phase is phase


def test_an_abort_of_an_idle_device_leaves_it_idle() -> None:
    session = Session()
    session.abort()

    assert session.phase is Phase.IDLE


@pytest.mark.parametrize(
    ("mode", "phase"),
    [("manual", Phase.IDLE), ("auto", Phase.IDLE), ("realtime", Phase.LISTENING)],
)
def test_a_spoken_reply_ends_with_one_stop(mode: Mode, phase: Phase) -> None:
    session = answering(mode)

    assert session.turn_ended(spoke=True) == [Command.SAY_STOP]
    assert session.phase is phase
    assert session.turn_ended(spoke=True) == []


@pytest.mark.parametrize(
    ("mode", "commands", "phase"),
    [
        ("manual", [Command.SAY_STOP], Phase.IDLE),
        ("auto", [Command.OPEN_UTTERANCE], Phase.LISTENING),
        ("realtime", [], Phase.LISTENING),
    ],
)
def test_a_turn_in_which_nothing_was_said_leaves_the_device_as_it_was(
    mode: Mode, commands: list[Command], phase: Phase
) -> None:
    session = answering(mode)

    assert session.turn_ended(spoke=False) == commands
    assert session.phase is phase


def test_a_turn_that_was_spoken_over_ends_without_another_stop() -> None:
    session = answering("auto")
    session.listen_start("auto")

    assert session.turn_ended(spoke=True) == []
    assert session.phase is Phase.LISTENING


def test_the_microphone_that_goes_on_after_a_wake_word_does_not_end_the_greeting() -> None:
    session = Session()
    assert session.greet() == [Command.SEND_GREETING]
    assert session.listen_start("auto") == [Command.OPEN_UTTERANCE]
    assert session.phase is Phase.ANSWERING
    assert session.listen_start("auto") == [Command.CANCEL_TURN, Command.SAY_STOP, Command.OPEN_UTTERANCE]


@pytest.mark.parametrize("end", ["turn_ended", "abort", "typed", "speech_started"])
def test_a_greeting_that_is_over_shields_nothing(end: str) -> None:
    session = Session()
    session.greet()
    if end == "turn_ended":
        session.turn_ended(spoke=True)
    else:
        getattr(session, end)()
    session.typed()
    assert Command.CANCEL_TURN in session.listen_start("auto")


def test_a_wake_word_during_a_reply_ends_it_and_is_greeted() -> None:
    session = Session()
    session.typed()
    assert session.greet() == [Command.CANCEL_TURN, Command.SAY_STOP, Command.SEND_GREETING]


@pytest.mark.parametrize(
    ("mode", "hears_speech", "uttered"),
    [
        ("manual", False, True),
        ("auto", False, False),
        ("auto", True, True),
        ("realtime", False, False),
        ("realtime", True, True),
    ],
)
def test_an_utterance_has_begun_with_the_button_or_with_the_speech_that_was_found(
    mode: Mode, *, hears_speech: bool, uttered: bool
) -> None:
    assert listening(mode).is_uttered(hears_speech=hears_speech) is uttered
    assert not answering(mode).is_uttered(hears_speech=hears_speech)
    assert not Session().is_uttered(hears_speech=hears_speech)

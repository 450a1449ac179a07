"""When the device listens and when it speaks."""

from __future__ import annotations

import pytest

from dispatcher.device_simulator.machine import DeviceMachine, Mode


def speaking(mode: Mode) -> DeviceMachine:
    machine = DeviceMachine(mode)
    machine.start_listening()
    if mode == "manual":
        machine.stop_listening()
    machine.begin_speaking()
    return machine


def test_audio_is_taken_only_while_speaking() -> None:
    machine = DeviceMachine("manual")
    assert not machine.accepts_audio

    machine.start_listening()
    assert not machine.accepts_audio

    machine.begin_speaking()
    assert machine.accepts_audio

    machine.end_speaking()
    assert not machine.accepts_audio


@pytest.mark.parametrize(("mode", "is_open"), [("manual", False), ("auto", False), ("realtime", True)])
def test_tts_start_closes_the_microphone_except_in_realtime(mode: Mode, *, is_open: bool) -> None:
    assert speaking(mode).microphone_open is is_open


@pytest.mark.parametrize(
    ("mode", "state", "says_start"),
    [("manual", "idle", False), ("auto", "listening", True), ("realtime", "listening", False)],
)
def test_tts_stop_goes_back_to_what_the_mode_says(mode: Mode, state: str, *, says_start: bool) -> None:
    machine = speaking(mode)

    assert machine.end_speaking() is says_start
    assert machine.state == state


def test_realtime_says_listen_start_once() -> None:
    machine = DeviceMachine("realtime")

    assert machine.start_listening()
    machine.begin_speaking()
    machine.end_speaking()
    assert not machine.start_listening()


def test_auto_does_not_say_listen_start_twice_after_tts_stop() -> None:
    machine = speaking("auto")
    machine.end_speaking()

    assert not machine.start_listening()


def test_manual_says_listen_start_for_each_utterance() -> None:
    machine = DeviceMachine("manual")
    for _ in range(2):
        assert machine.start_listening()
        machine.stop_listening()


def test_a_stop_while_not_speaking_changes_nothing() -> None:
    machine = DeviceMachine("auto")
    machine.start_listening()

    assert not machine.end_speaking()
    assert machine.state == "listening"


def test_a_typed_text_leaves_the_microphone_off_in_auto() -> None:
    machine = DeviceMachine("auto")
    machine.begin_speaking()

    assert not machine.end_speaking()
    assert not machine.microphone_open

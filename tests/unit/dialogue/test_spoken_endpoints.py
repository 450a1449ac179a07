"""Endpointing of real speech: voice, noise, the Silero model and the rules together."""

from __future__ import annotations

import pytest

from dispatcher.audio.pcm import to_float32, to_s16le
from dispatcher.audio.vad import SpeechMeter
from dispatcher.dialogue.endpointing import Endpointer, EndpointRules
from tests.unit.audio.sounds import noise
from tests.unit.audio.speech import RATE_HZ, say, silence

RULES = EndpointRules()
COMMAND = "Please turn on the light in the kitchen."
QUESTION = "What is the weather like today?"


def events(sound: bytes) -> list[tuple[float, str]]:
    """Return what happens in the sound, with the time in seconds."""
    endpointer = Endpointer(RULES)
    heard = enumerate(map(endpointer.feed, SpeechMeter().feed(sound)), start=1)
    return [(at * RULES.window_ms / 1000, event) for at, event in heard if event]


def mixed(speech: bytes, hiss_dbfs: float) -> bytes:
    """Return the speech with white noise all along it."""
    hiss = noise(seconds=len(speech) / 2 / RATE_HZ, rate_hz=RATE_HZ, level_dbfs=hiss_dbfs)
    return to_s16le(to_float32(speech) + to_float32(hiss))


@pytest.mark.parametrize("hiss_dbfs", [-90, -60, -45])
def test_a_command_is_one_utterance_and_ends_within_a_second_of_its_last_word(hiss_dbfs: float) -> None:
    speech = say(COMMAND)
    (started_s, start), (ended_s, end) = events(mixed(silence(1) + speech + silence(2), hiss_dbfs))
    last_word_s = 1 + len(speech) / 2 / RATE_HZ
    assert (start, end) == ("speech_started", "utterance_ended")
    assert 1 < started_s < 1.5
    assert last_word_s < ended_s < last_word_s + 1


def test_two_utterances_with_a_long_pause_are_two() -> None:
    sound = mixed(silence(1) + say(COMMAND) + silence(1) + say(QUESTION) + silence(1.5), -60)
    assert [event for _, event in events(sound)] == ["speech_started", "utterance_ended"] * 2


def test_a_breath_of_0_4_s_between_two_sentences_does_not_end_the_utterance() -> None:
    sound = mixed(silence(1) + say(COMMAND) + silence(0.4) + say(QUESTION) + silence(1.5), -60)
    assert [event for _, event in events(sound)] == ["speech_started", "utterance_ended"]


def test_noise_alone_is_no_utterance() -> None:
    assert events(noise(seconds=10, rate_hz=RATE_HZ, level_dbfs=-30)) == []


def test_clicks_are_no_utterance() -> None:
    click = noise(seconds=0.01, rate_hz=RATE_HZ, level_dbfs=-10)
    assert events(mixed((click + silence(0.49)) * 20, -60)) == []

"""Prediction of first audio: how long a call waits for a slot, and what is left of a turn."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.messages import Service
from dispatcher.routing.rules.prediction import ServiceLoad, first_audio_s, line_s, wait_s

FULL = ServiceLoad(slots=8, in_flight=8, hold_s=2.7, first_s=0.5)
LOADS: dict[Service, ServiceLoad] = {
    "asr": ServiceLoad(slots=4, in_flight=1, hold_s=0.4, first_s=0.4),
    "llm": FULL,
    "tts": ServiceLoad(slots=8, in_flight=0, hold_s=1.0, first_s=0.2),
}


@pytest.mark.parametrize(
    ("load", "sent", "expected_s"),
    [
        (ServiceLoad(), 3, 0.0),  # no instance in service is a fault, and no line
        (ServiceLoad(slots=2, in_flight=1, hold_s=3.0), 0, 0.0),
        (ServiceLoad(slots=2, in_flight=1, hold_s=3.0), 1, 1.5),
        (ServiceLoad(slots=2, in_flight=2, hold_s=3.0), 0, 1.5),
        (ServiceLoad(slots=2, in_flight=2, waiting=1, queued=2, hold_s=3.0), 1, 7.5),
        (ServiceLoad(slots=2, in_flight=1, waiting=1, hold_s=3.0), 0, 1.5),
        (ServiceLoad(slots=2, in_flight=3, hold_s=3.0), 0, 1.5),
        (ServiceLoad(slots=2, in_flight=0, queued=1, queued_s=4.0, hold_s=3.0), 0, 4.0),
    ],
)
def test_a_call_waits_for_those_in_front_of_it(load: ServiceLoad, sent: int, expected_s: float) -> None:
    assert wait_s(load, sent=sent) == pytest.approx(expected_s)


def test_sixty_devices_on_eight_places_are_seen_coming() -> None:
    crowded = ServiceLoad(slots=8, in_flight=8, queued=51, hold_s=2.7, first_s=0.5)
    assert first_audio_s({"llm": crowded}) == pytest.approx(52 * 2.7 / 8 + 0.5)


@pytest.mark.parametrize(
    ("stage", "begun_s", "expected_s"),
    [
        ("asr", 0.0, 0.4 + 2.7 / 8 + 0.5 + 0.2),
        ("asr", 0.3, 0.1 + 2.7 / 8 + 0.5 + 0.2),
        ("llm", 0.0, 2.7 / 8 + 0.5 + 0.2),
        ("llm", 60.0, 0.2),
        ("tts", 0.05, 0.15),
    ],
)
def test_what_is_over_does_not_count(stage: Service, begun_s: float, expected_s: float) -> None:
    assert first_audio_s(LOADS, stage=stage, begun_s=begun_s) == pytest.approx(expected_s)


def test_calls_sent_since_the_reading_count() -> None:
    more_s = first_audio_s(LOADS, sent={"llm": 4}) - first_audio_s(LOADS)
    assert more_s == pytest.approx(4 * 2.7 / 8)


def test_nothing_known_predicts_nothing() -> None:
    assert first_audio_s({}) == 0.0


def test_a_line_is_of_those_that_wait_and_not_of_slots_that_are_all_in_use() -> None:
    full = ServiceLoad(slots=2, in_flight=2, hold_s=3.0, workers=1)
    assert line_s({"llm": full}) == 0.0
    assert line_s({"llm": replace(full, waiting=2)}) == pytest.approx(3.0)
    assert line_s({"llm": full, "tts": replace(full, waiting=4)}, sent={"llm": 2}) == pytest.approx(9.0)
    assert line_s({"asr": replace(full, waiting=4), "llm": full}, stage="llm") == 0.0
    assert line_s({"llm": replace(full, queued=1, queued_s=4.0)}) == 4.0


def test_a_service_without_a_worker_or_an_instance_has_a_fault_and_no_line() -> None:
    full = ServiceLoad(slots=2, in_flight=2, waiting=9, hold_s=3.0)
    assert line_s({"llm": full, "tts": replace(full, slots=0, workers=1)}) == 0.0


@given(st.integers(1, 64), st.integers(0, 64), st.integers(0, 200), st.floats(0.01, 30))
def test_one_more_in_line_is_never_quicker(slots: int, in_flight: int, waiting: int, hold_s: float) -> None:
    load = ServiceLoad(slots=slots, in_flight=in_flight, waiting=waiting, hold_s=hold_s)
    assert 0 <= wait_s(load) <= wait_s(load, sent=1)

"""The firmware's decode queue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.device_simulator import DecodeQueue


def played(arrivals_s: list[float], *, capacity: int = 40) -> DecodeQueue:
    queue = DecodeQueue(capacity, frame_ms=60)
    for at_s in arrivals_s:
        queue.put(at_s)
    return queue


def test_frames_at_the_pace_of_play_make_no_gap() -> None:
    queue = played([number * 0.06 for number in range(100)])

    assert (queue.accepted, queue.gaps, queue.late, queue.dropped) == (100, 0, 0, 0)


def test_a_lead_of_five_frames_covers_a_pause_of_the_same_length() -> None:
    lead = [0.0] * 6

    assert played([*lead, 0.36]).late == 0
    assert played([*lead, 0.361]).late == 1


def test_a_gap_is_as_long_as_the_silence() -> None:
    queue = played([0.0, 0.16])

    assert (queue.gaps, queue.late) == (1, 1)
    assert queue.gap_ms == pytest.approx(100)


def test_a_silence_inside_the_sound_driver_is_late_but_not_heard() -> None:
    queue = played([0.0, 0.075])

    assert (queue.late, queue.gaps, queue.gap_ms) == (1, 0, 0)


def test_after_a_gap_play_goes_on_from_the_late_frame() -> None:
    queue = played([0.0, 1.0, 1.06, 1.12])

    assert (queue.gaps, queue.late) == (1, 1)


def test_a_full_queue_drops_without_a_word() -> None:
    queue = DecodeQueue(5, frame_ms=60)

    taken = [queue.put(0.0) for _ in range(8)]

    # The first frame is being played and has left the queue; five more wait.
    assert taken == [True] * 6 + [False] * 2
    assert (queue.accepted, queue.dropped, queue.waiting(0.0)) == (6, 2, 5)


def test_silence_after_the_last_frame_is_no_gap() -> None:
    queue = played([0.0, 0.0])

    assert queue.waiting(9.0) == 0
    assert queue.gaps == 0


def test_clearing_forgets_the_frames_and_the_counts() -> None:
    queue = played([0.0, 1.0, 1.0, 1.0], capacity=1)
    queue.clear()

    assert (queue.accepted, queue.gaps, queue.gap_ms, queue.late, queue.dropped) == (0, 0, 0, 0, 0)
    assert queue.put(5.0)
    assert queue.gaps == 0


def test_speaker_falls_silent_when_the_last_frame_has_been_played() -> None:
    queue = played([1.0, 1.0, 1.0])

    assert queue.silent_at_s(1.0) == pytest.approx(1.18)
    assert queue.silent_at_s(2.0) == pytest.approx(2.0)


@pytest.mark.parametrize(("capacity", "frame_ms"), [(0, 60), (40, 0)])
def test_a_queue_without_places_or_frames_without_length_are_refused(capacity: int, frame_ms: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        DecodeQueue(capacity, frame_ms)


@given(
    pauses_ms=st.lists(st.floats(min_value=0, max_value=500), min_size=1, max_size=60),
    capacity=st.integers(min_value=1, max_value=40),
)
def test_every_frame_is_accepted_or_dropped_and_play_takes_exactly_its_time(
    pauses_ms: list[float], capacity: int
) -> None:
    queue = DecodeQueue(capacity, frame_ms=60)
    now_s = 0.0
    for pause_ms in pauses_ms:
        now_s += pause_ms / 1000
        queue.put(now_s)
        assert queue.waiting(now_s) <= capacity

    assert queue.accepted + queue.dropped == len(pauses_ms)
    assert queue.gaps <= queue.late
    # From the first frame to the last: sound, silences that are heard, and those that are not.
    began_s = pauses_ms[0] / 1000
    silence_s = max(now_s, queue.silent_at_s(now_s)) - began_s - queue.accepted * 0.06
    assert silence_s >= queue.gap_ms / 1000 - 1e-6

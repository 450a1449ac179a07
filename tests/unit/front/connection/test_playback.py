"""Play-out to a device, by a clock that only the test moves."""

from __future__ import annotations

import pytest

from dispatcher.front.connection.playback import AFTER_START_S, FRAME_S, TICKS_PER_S
from tests.unit.front.playout import Playout, frames

TICK_S = 1 / TICKS_PER_S
# Times are sums of floats; none of this matters to an device.
TOLERANCE_S = 1e-5


def test_the_first_frame_leaves_a_tenth_of_a_second_after_the_start() -> None:
    playout = Playout()
    player, device = playout.player()
    began_at = playout.clock.time()
    player.add(*frames(1))

    playout.clock.advance()

    assert player.clock.first_frame_at == device.frame_times[0]
    assert AFTER_START_S <= device.frame_times[0] - began_at <= AFTER_START_S + TICK_S


def test_speech_that_comes_later_than_that_leaves_at_once() -> None:
    playout = Playout()
    player, device = playout.player()
    playout.clock.advance(1.0)
    player.add(*frames(1))

    assert device.frame_times == [playout.clock.time()]


def test_the_lead_leaves_at_once_and_then_one_frame_every_60_ms() -> None:
    playout = Playout()
    player, device = playout.player(lead_frames=5)
    player.add(*frames(50))
    player.finish()

    playout.clock.advance()

    first = device.frame_times[0]
    late_s = [at - first - max(0, number - 4) * FRAME_S for number, at in enumerate(device.frame_times)]
    assert device.items == frames(50)
    assert late_s[:5] == [0] * 5
    assert all(-TOLERANCE_S <= late <= TICK_S + TOLERANCE_S for late in late_s)


def test_frames_tell_the_time_at_which_they_are_heard() -> None:
    playout = Playout()
    player, device = playout.player()
    player.add(*frames(4))

    playout.clock.advance()

    assert device.timestamps_ms == [0, 60, 120, 180]


def test_after_a_gap_no_more_than_the_lead_leaves_at_once() -> None:
    playout = Playout()
    player, device = playout.player(lead_frames=5)
    player.add(*frames(3))
    playout.clock.advance(5.0)

    player.add(*frames(20, first=3))

    assert len(device.frame_times) == 3 + 5
    playout.clock.advance()
    assert device.most_waiting == 5
    assert device.items == frames(23)


def test_a_gap_is_counted_with_its_length() -> None:
    playout = Playout()
    player, _ = playout.player()
    player.add(*frames(1))
    playout.clock.advance(1.0)
    heard_at = player.clock.first_frame_at
    assert heard_at is not None

    player.add(*frames(1))

    assert player.clock.gaps == 1
    assert player.clock.gap_ms == pytest.approx((playout.clock.time() - heard_at - FRAME_S) * 1000)


def test_speech_in_time_makes_no_gap() -> None:
    playout = Playout()
    player, _ = playout.player()
    for second in range(5):
        player.add(*frames(17, first=second * 17))
        playout.clock.advance(1.0)

    assert player.clock.gaps == 0
    assert player.clock.gap_ms == 0


def test_a_subtitle_leaves_right_before_the_audio_it_belongs_to() -> None:
    playout = Playout()
    player, device = playout.player()
    player.add("One.", *frames(8))
    player.add("Two.", *frames(2, first=8))
    assert device.items == []

    playout.clock.advance()

    assert device.items == ["One.", *frames(8), "Two.", *frames(2, first=8)]
    at = {item: when for when, item in device.arrived}
    assert at[b"8"] - at["Two."] <= FRAME_S + TICK_S


def test_played_is_told_once_when_the_last_frame_was_heard() -> None:
    playout = Playout()
    player, device = playout.player()
    player.add(*frames(10))
    player.finish()
    player.finish()

    playout.clock.advance()

    (played_at,) = device.played_at
    assert -TOLERANCE_S <= played_at - device.ends_at <= TICK_S + TOLERANCE_S


def test_a_reply_without_any_speech_is_played_at_once() -> None:
    for started in (True, False):
        player, device = Playout().player(started=started)
        player.finish()
        assert len(device.played_at) == 1
        assert player.clock.first_frame_at is None


def test_speech_that_is_still_to_come_is_waited_for() -> None:
    playout = Playout()
    player, device = playout.player()
    player.add(*frames(2))

    playout.clock.advance()

    assert device.played_at == []


def test_stop_silences_in_the_middle_of_a_sentence() -> None:
    playout = Playout()
    player, device = playout.player()
    player.add(*frames(50))
    player.finish()
    playout.clock.advance(1.0)
    heard = list(device.items)

    player.stop()
    player.add(*frames(5))
    player.finish()
    playout.clock.advance()

    assert device.items == heard
    assert device.played_at == []


def test_speech_before_the_start_waits_for_it() -> None:
    playout = Playout()
    player, device = playout.player(started=False)
    player.add("One.", *frames(2))
    player.finish()
    playout.clock.advance(1.0)
    assert device.items == []
    assert playout.clock.armed == 0

    player.start()
    playout.clock.advance()

    assert device.items == ["One.", *frames(2)]
    assert len(device.played_at) == 1


def test_one_timer_serves_all_devices() -> None:
    playout = Playout()
    devices = []
    for number in range(20):
        player, device = playout.player()
        player.add(*frames(30))
        player.finish()
        devices.append(device)
        assert playout.clock.armed == 1
        playout.clock.advance(0.007 * number)

    playout.clock.advance()

    assert all(len(device.frame_times) == 30 and device.most_waiting <= 5 for device in devices)


def test_the_timer_stands_still_when_nobody_is_spoken_to() -> None:
    playout = Playout()
    spoken, _ = playout.player()
    silenced, _ = playout.player()
    for player in (spoken, silenced):
        player.add(*frames(40))
    silenced.stop()
    spoken.finish()
    assert playout.clock.armed == 1

    playout.clock.advance()

    assert playout.clock.armed == 0


def test_an_earlier_player_moves_the_timer_forward() -> None:
    playout = Playout()
    late, late_ear = playout.player()
    late.add(*frames(5))
    late.finish()
    playout.clock.advance(0.13)
    # The one waits for the end of 300 ms of speech, the other for its start in 100 ms.
    early, early_ear = playout.player()
    started_at = playout.clock.time()
    early.add(*frames(1))
    assert playout.clock.armed == 1

    playout.clock.advance()

    assert early_ear.frame_times[0] - started_at <= AFTER_START_S + TICK_S
    assert len(late_ear.played_at) == 1


def test_the_silence_after_a_filler_is_no_gap_and_the_answers_first_frame_is_the_first() -> None:
    playout = Playout()
    player, device = playout.player()
    player.add_filler("Let me think.", *frames(3))
    playout.clock.advance(5.0)
    assert player.clock.first_frame_at is None

    player.add("Noon.", *frames(3, first=3))
    playout.clock.advance(5.0)
    player.add(*frames(1, first=6))
    player.finish()
    playout.clock.advance()

    assert player.clock.first_frame_at == device.frame_times[3]
    assert player.clock.gaps == 1

"""How often a device may send a message, by a clock of the test's own."""

from __future__ import annotations

import pytest

from dispatcher.front.connection.rate_limiter import RateLimiter, for_messages, for_sound


def test_a_burst_is_read_at_once_and_what_follows_at_the_rate() -> None:
    allowance = RateLimiter(burst=3, rate_per_s=2)

    assert [allowance.take(100.0) for _ in range(5)] == pytest.approx([0, 0, 0, 0.5, 1.0])


def test_who_waits_as_he_is_told_is_never_behind() -> None:
    allowance, now_s = RateLimiter(burst=1, rate_per_s=10), 0.0
    for _ in range(1000):
        now_s += allowance.take(now_s)

    assert now_s == pytest.approx(99.9)


def test_a_pause_gives_the_burst_back_and_no_more_than_that() -> None:
    allowance = RateLimiter(burst=3, rate_per_s=2)
    for _ in range(5):
        allowance.take(0.0)

    assert [allowance.take(1000.0) for _ in range(4)] == pytest.approx([0, 0, 0, 0.5])


def test_speech_in_the_shortest_packets_is_never_slowed_down() -> None:
    sound = for_sound()

    assert all(sound.take(packet * 0.005) == 0 for packet in range(12_000))


async def test_what_is_within_the_burst_does_not_wait() -> None:
    assert await for_messages().wait() is False

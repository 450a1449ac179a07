"""Pace of a repeated log line."""

from __future__ import annotations

from dispatcher.control.log_limit import LogLimit


def test_the_first_event_is_logged_at_once_and_the_next_ones_together() -> None:
    now_s = [100.0]
    limit = LogLimit(10.0, clock=lambda: now_s[0])
    assert [limit.count() for _ in range(4)] == [1, 0, 0, 0]
    now_s[0] += 10
    assert [limit.count() for _ in range(2)] == [4, 0]

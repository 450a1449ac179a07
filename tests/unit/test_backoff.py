"""The pauses of one who tries again."""

from __future__ import annotations

from dispatcher.backoff import JITTER, BackOff


def test_pauses_grow_to_a_bound_and_begin_anew_when_it_worked() -> None:
    pauses = BackOff(first_s=0.1, longest_s=1.0)
    lengths = [pauses.next_s() for _ in range(20)]
    assert 0.1 * (1 - JITTER) <= lengths[0] <= 0.1
    assert all(1 - JITTER <= length <= 1.0 for length in lengths[-5:])
    assert pauses.tries == 20
    pauses.reset()
    assert pauses.tries == 0
    assert pauses.next_s() <= 0.1


def test_two_who_lost_the_same_server_do_not_knock_at_the_same_moments() -> None:
    one, other = BackOff(), BackOff()
    assert [one.next_s() for _ in range(5)] != [other.next_s() for _ in range(5)]

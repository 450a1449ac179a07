"""When a process that ended is started again."""

from __future__ import annotations

from dispatcher.cli.supervisor.restart import RestartPolicy, Run

CRASH_AT_START = Run(lasted_s=0.2, ready_s=None)
SLOW_CRASH = Run(lasted_s=20.0, ready_s=None)
SHORT_HEALTH = Run(lasted_s=12.0, ready_s=10.0)
LONG_HEALTH = Run(lasted_s=300.0, ready_s=290.0)


def test_the_pause_doubles_up_to_half_a_minute() -> None:
    policy = RestartPolicy()
    delays = [policy.next_delay_s(SHORT_HEALTH) for _ in range(9)]
    assert delays == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_minute_of_health_makes_the_pause_short_again() -> None:
    policy = RestartPolicy()
    for _ in range(6):
        policy.next_delay_s(SHORT_HEALTH)
    assert policy.next_delay_s(LONG_HEALTH) == 0
    assert policy.next_delay_s(SHORT_HEALTH) == 0.5


def test_five_quick_exits_without_ever_being_ready_end_it() -> None:
    policy = RestartPolicy()
    delays = [policy.next_delay_s(CRASH_AT_START) for _ in range(5)]
    assert delays == [0.5, 1, 2, 4, None]


def test_a_longer_run_in_between_counts_the_quick_exits_anew() -> None:
    policy = RestartPolicy()
    runs = [CRASH_AT_START] * 4 + [SLOW_CRASH] + [CRASH_AT_START] * 4
    assert None not in [policy.next_delay_s(run) for run in runs]
    assert policy.next_delay_s(CRASH_AT_START) is None


def test_a_part_that_was_ready_once_is_never_given_up() -> None:
    policy = RestartPolicy()
    policy.next_delay_s(SHORT_HEALTH)
    assert None not in [policy.next_delay_s(CRASH_AT_START) for _ in range(20)]

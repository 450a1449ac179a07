"""When a process that ended is started again."""

from __future__ import annotations

import pytest

from dispatcher.supervisor.process import was_stopped
from dispatcher.supervisor.process_spec import Role
from dispatcher.supervisor.restart_policy import RestartPolicy, RunOutcome

CRASH_AT_START = RunOutcome(lasted_s=0.2, ready_s=None)
SLOW_CRASH = RunOutcome(lasted_s=20.0, ready_s=None)
SHORT_HEALTH = RunOutcome(lasted_s=12.0, ready_s=10.0)
LONG_HEALTH = RunOutcome(lasted_s=300.0, ready_s=290.0)


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


def test_what_an_operator_stops_comes_back_at_once_however_often_and_a_crash_after_it_too() -> None:
    policy = RestartPolicy()
    stopped = RunOutcome(lasted_s=3.0, ready_s=2.0, is_stopped=True)
    assert [policy.next_delay_s(stopped) for _ in range(9)] == [0] * 9
    assert policy.next_delay_s(SHORT_HEALTH) == 0
    assert policy.next_delay_s(SHORT_HEALTH) == 0.5


@pytest.mark.parametrize(
    ("code", "role", "stopped"),
    [
        (0, "worker", True),
        (-15, "worker", True),
        (143, "other", True),
        (0, "other", False),
        (1, "worker", False),
        (-9, "worker", False),
        (-11, "front", False),
        (None, "front", False),
    ],
)
def test_sigterm_is_told_from_a_crash_by_the_exit_code(
    code: int | None, role: Role, *, stopped: bool
) -> None:
    assert was_stopped(code, role) == stopped

"""The states of a kept process, and the events between them."""

from __future__ import annotations

import asyncio
from typing import get_args

import pytest

from dispatcher.supervisor.process_lifecycle import FINAL, TRANSITIONS, Event, ProcessLifecycle, State

WAY_TO: dict[State, tuple[Event, ...]] = {
    "waiting": (),
    "starting": ("start",),
    "ready": ("start", "serve"),
    "restarting": ("start", "serve", "restart"),
    "backing off": ("start", "exit"),
    "failed": ("start", "give up"),
    "stopping": ("start", "stop"),
    "stopped": ("stop",),
}


@pytest.mark.parametrize("state", get_args(State))
@pytest.mark.parametrize("event", get_args(Event))
def test_an_event_leads_where_the_table_says_and_nowhere_else(state: State, event: Event) -> None:
    lifecycle = ProcessLifecycle()
    assert all(lifecycle.apply(each) for each in WAY_TO[state])

    entered = lifecycle.apply(event)

    assert entered == ((state, event) in TRANSITIONS)
    assert lifecycle.state == TRANSITIONS.get((state, event), state)


def test_nothing_leads_away_from_the_end() -> None:
    assert not [state for state, _ in TRANSITIONS if state in FINAL]


def test_the_time_of_each_state_is_taken_from_the_clock() -> None:
    clock = [10.0]
    lifecycle = ProcessLifecycle(clock=lambda: clock[0])
    lifecycle.apply("start")
    clock[0] = 13.5
    lifecycle.apply("serve")
    assert (lifecycle.changed_at_s, lifecycle.before_lasted_s) == (13.5, 3.5)


def test_each_change_is_notified_and_an_event_without_effect_is_not() -> None:
    seen: list[str] = []
    lifecycle = ProcessLifecycle(lambda: seen.append(lifecycle.state))
    for event in ("start", "start", "serve", "serve"):
        lifecycle.apply(event)
    assert seen == ["starting", "ready"]


async def test_a_state_that_lasted_for_a_moment_is_not_missed() -> None:
    lifecycle = ProcessLifecycle()
    waiting = asyncio.create_task(lifecycle.wait_for("ready"))
    await asyncio.sleep(0)
    for event in ("start", "serve", "exit"):
        lifecycle.apply(event)
    assert await waiting == "ready"


async def test_a_final_state_ends_every_wait() -> None:
    lifecycle = ProcessLifecycle()
    waiting = asyncio.create_task(lifecycle.wait_for("ready"))
    await asyncio.sleep(0)
    lifecycle.apply("stop")
    assert await waiting == "stopped"
    assert await lifecycle.wait_for("ready") == "stopped"

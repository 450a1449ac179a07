"""Events of the fleet, from one snapshot to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dispatcher.console.fleet_events import FleetEvents
from dispatcher.console.snapshot import ConsoleSnapshot, RedisMemory
from dispatcher.routing.overview import InstanceView, Overview, ServiceView, State
from dispatcher.telemetry.canaries import CanaryView
from tests.unit.instance_views import READY


def snapshot(instance: InstanceView = READY, **fields: Any) -> ConsoleSnapshot:
    """Return a moment with one instance."""
    service = ServiceView(service="llm", algorithm="response_time", waiting=0, instances=(instance,))
    made = ConsoleSnapshot(
        overview=Overview(services=(service,), queues={}),
        canaries=(),
        fronts={},
        workers={},
        oldest_age_s={},
        kpis=None,
        records=None,
        memory=RedisMemory(used_bytes=0, limit_bytes=0),
        phrases=None,
        took_s=0,
        revision=1,
    )
    return replace(made, **fields)


def seen(*snapshots: ConsoleSnapshot) -> list[dict[str, Any]]:
    """Return what happened, oldest first; a second lies between two snapshots."""
    events = FleetEvents()
    for at_s, each in enumerate(snapshots):
        events.observe(each, at_s=at_s)
    return events.newest()[::-1]


def test_an_ejection_is_told_with_its_reason_and_how_long_calls_still_went_there() -> None:
    ejected = replace(
        READY,
        state="ejected",
        last_reason="HTTP 500",
        ejections=1,
        fault_began_at_s=10,
        fault_at_s=10.4,
    )
    found = seen(snapshot(), snapshot(ejected), snapshot(ejected), snapshot(replace(READY, ejections=1)))
    subject = {"service": "llm", "subject": "llm-1"}
    assert found == [
        {"at_s": 1, **subject, "kind": "ejected", "reason": "HTTP 500", "failover_s": 0.4},
        {"at_s": 3, **subject, "kind": "back", "lasted_s": 2},
    ]


def test_an_ejection_that_came_and_went_between_two_looks_is_told_too() -> None:
    found = seen(snapshot(), snapshot(replace(READY, ejections=1, last_reason="refused")))
    assert [(each["kind"], each["reason"]) for each in found] == [("ejected", "refused")]


@pytest.mark.parametrize("state", ["slow", "slow start", "half-open"])
def test_states_in_which_calls_go_on_are_no_events(state: State) -> None:
    assert seen(snapshot(), snapshot(replace(READY, state=state))) == []


def test_one_that_was_out_before_the_console_started_is_back_once() -> None:
    found = seen(snapshot(replace(READY, state="down")), snapshot())
    assert [(each["kind"], each["lasted_s"]) for each in found] == [("back", 1)]


def test_reloads_and_restarts_are_told() -> None:
    workers = {"host:1:llm:a": "llm"}
    found = seen(
        snapshot(worker_ids=workers),
        snapshot(worker_ids={"host:2:llm:b": "llm"}, revision=2),
    )
    told = [(each["kind"], each["subject"]) for each in found]
    assert told == [("reloaded", "revision 2"), ("worker started", "llm"), ("worker ended", "llm")]


def test_the_wait_of_a_queue_is_that_of_its_canaries_each_seen_once() -> None:
    first = CanaryView(queue="llm", consumed_s_ago=1.0, delay_ms=400.0, period_s=5.0, lost=False)
    again, second = replace(first, consumed_s_ago=2.0), replace(first, consumed_s_ago=0.5, delay_ms=2.0)
    events = FleetEvents()
    for canary in (first, again, *[second, replace(second, consumed_s_ago=1.5)] * 30):
        events.observe(snapshot(canaries=(canary,)))
    assert events.queue_wait_p95_ms() == {"llm": 2.0}
    events = FleetEvents()
    events.observe(snapshot(canaries=(first,)))
    assert events.queue_wait_p95_ms() == {"llm": 400.0}

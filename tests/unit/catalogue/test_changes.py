"""What `dispatcher reload` tells the operator of a change."""

from __future__ import annotations

from dataclasses import replace

from dispatcher.catalogue import HealthRules
from dispatcher.catalogue.changes import describe_changes
from tests.support.fleet import catalogue_of, llm

BEFORE = catalogue_of("round_robin", [llm("A", cap=4), llm("B", cap=4)])


def test_weights_alone_need_no_word() -> None:
    heavier = catalogue_of("least_connections", [llm("A", cap=4, weight=9), llm("B", cap=4)])
    assert list(describe_changes(BEFORE, heavier)) == []


def test_who_joins_and_who_leaves_is_told() -> None:
    after = catalogue_of("round_robin", [llm("B", cap=4), llm("C", cap=4)])
    assert list(describe_changes(BEFORE, after)) == [
        "llm: C joins",
        "llm: A leaves when its calls are over",
    ]


def test_pools_that_keep_their_size_are_told() -> None:
    after = catalogue_of("round_robin", [llm("A", cap=4), llm("B", cap=9)])
    (line,) = describe_changes(BEFORE, after)
    assert line.startswith("llm: 8 slots before, 13 now; pools follow")


def test_an_interval_that_waits_for_beat_is_told() -> None:
    after = replace(BEFORE, health=HealthRules(interval_s=5))
    assert list(describe_changes(BEFORE, after)) == ["health checks every 5 s once beat restarts"]

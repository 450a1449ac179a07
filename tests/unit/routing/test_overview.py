"""What the overview says of instances, against what the pick script does with them, in a real Valkey."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import admin, leases
from dispatcher.routing.overview import InstanceView, read_overview
from dispatcher.routing.rules.constants import WAITER_TTL_MS
from tests.support.fleet import Fleet, llm


async def seen(redis: RedisClient, name: str = "A") -> InstanceView:
    """Return what the overview says of one instance."""
    overview = await read_overview(redis)
    return next(instance for instance in overview.instances if instance.name == name)


async def test_an_empty_redis_is_an_empty_fleet(redis: RedisClient) -> None:
    overview = await read_overview(redis)
    assert [service.service for service in overview.services] == ["asr", "llm", "tts"]
    assert overview.instances == ()
    assert overview.queues == {"asr": 0, "llm": 0, "tts": 0, "control": 0}


async def test_a_new_instance_is_ready_and_as_configured(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("response_time", llm("B"), llm("A", weight=2.5, cap=3, priority="high"))
    overview = await read_overview(redis)
    assert overview.services[1].algorithm == "response_time"
    assert [instance.name for instance in overview.instances] == ["B", "A"]
    view = overview.instances[1]
    assert (view.service, view.endpoint, view.priority) == ("llm", "http://127.0.0.1:9/A", "high")
    assert (view.weight, view.effective_weight, view.cap) == (2.5, 2.5, 3)
    assert (view.state, view.in_flight, view.latency_ewma_ms, view.error_ratio) == ("ready", 0, None, 0)


async def test_calls_in_flight_are_counted_and_expired_ones_are_not(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    await fleet.hold(3)
    assert (await seen(redis)).in_flight == 3
    await fleet.time_passes(10, "A")
    assert (await seen(redis)).in_flight == 0


async def test_what_calls_taught_is_shown(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    await fleet.call_ends("A", "ok", latency_ms=420)
    await fleet.call_ends("A", "failed", times=2)
    await fleet.time_passes(30, "A")
    view = await seen(redis)
    assert view.latency_ewma_ms == pytest.approx(420)
    assert view.error_ratio == pytest.approx(0.19)
    assert view.failures == 2
    assert view.failed_s_ago is not None
    assert view.failed_s_ago >= 30


async def test_an_ejected_instance_becomes_half_open_then_starts_slowly_then_is_ready(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A", weight=4))
    await fleet.call_ends("A", "failed", times=3)
    view = await seen(redis)
    assert view.state == "ejected"
    assert view.back_in_s is not None
    assert 0 < view.back_in_s <= 5
    await fleet.time_passes(6, "A")
    view = await seen(redis)
    assert (view.state, view.back_in_s) == ("half-open", None)
    await fleet.call_ends("A", "ok")
    view = await seen(redis)
    assert view.state == "slow start"
    assert view.effective_weight < view.weight
    await fleet.time_passes(10, "A")
    view = await seen(redis)
    assert (view.state, view.effective_weight) == ("ready", 4)


async def test_failed_checks_in_a_row_are_shown_and_take_it_down(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    await fleet.check("A", False, False)
    view = await seen(redis)
    assert (view.state, view.check_run) == ("ready", -2)
    await fleet.check("A", False)
    assert (await seen(redis)).state == "down"


async def test_draining_is_shown_before_everything_else(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    await fleet.check("A", False, False, False)
    await admin.drain(redis, "A")
    view = await seen(redis)
    assert (view.state, view.is_usable) == ("draining", False)


async def test_waiting_calls_and_queued_tasks_are_counted(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    await fleet.hold(1)
    for lease_id in ("first", "second"):
        await leases.pick(redis, "llm", turn_id="a-turn", lease_id=lease_id)
    for _ in range(3):
        await redis.execute("LPUSH", "tts", "task")
    overview = await read_overview(redis)
    assert [service.waiting for service in overview.services] == [0, 2, 0]
    assert overview.queues == {"asr": 0, "llm": 0, "tts": 3, "control": 0}


async def test_a_caller_that_looks_no_more_is_no_longer_waiting(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    await fleet.hold(1)
    await leases.pick(redis, "llm", turn_id="a-turn", lease_id="died")
    await redis.execute("ZINCRBY", keys.line("seen", "llm"), -WAITER_TTL_MS, "died")
    assert (await read_overview(redis)).services[1].waiting == 0


async def test_the_state_that_is_shown_is_whether_the_script_picks(fleet: Fleet, redis: RedisClient) -> None:
    names = ("drained", "down", "ejected", "well")
    await fleet.configure("round_robin", *(llm(name) for name in names))
    await admin.drain(redis, "drained")
    await fleet.check("down", False, False, False)
    await fleet.call_ends("ejected", "failed", times=3)
    usable = {instance.name for instance in (await read_overview(redis)).instances if instance.is_usable}
    picked = await asyncio.gather(*(fleet.pick() for _ in range(5)))
    assert {slot.name for slot in picked} == usable == {"well"}


async def test_an_instance_that_left_the_yaml_is_shown_until_its_last_call_ends(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    slots = [await fleet.pick(), await fleet.pick()]
    await fleet.configure("round_robin", llm("B"))
    overview = await read_overview(redis)
    assert [(view.name, view.state) for view in overview.instances] == [("B", "ready"), ("A", "leaving")]
    for slot in slots:
        await fleet.finish(slot, "ok")
    assert [view.name for view in (await read_overview(redis)).instances] == ["B"]


async def test_what_went_wrong_last_is_told_in_the_words_of_the_failure(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("least_connections", llm("A"), llm("B"))
    slot = await fleet.pick()

    await leases.finish(redis, slot, outcome="failed", latency_ms=5, reason="HTTP 500: out of memory")

    (failed,) = [it for it in (await read_overview(redis)).instances if it.name == slot.name]
    assert failed.last_reason == "HTTP 500: out of memory"

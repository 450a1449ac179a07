"""Drain, eject and restore, in a real Valkey: what the next picks make of them."""

from __future__ import annotations

import pytest

from dispatcher.errors import UnknownName
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import admin
from dispatcher.routing.overview import read_overview
from tests.support.fleet import Fleet, llm


async def test_a_drained_instance_gets_no_new_call_and_keeps_those_it_has(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await fleet.hold(4)
    assert await admin.drain(redis, "A") == "llm"
    assert await fleet.pick_in_turn(6) == "BBBBBB"
    assert await fleet.in_flight("A") == 2


async def test_draining_survives_a_process_that_starts(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await admin.drain(redis, "A")
    await fleet.configure("round_robin", llm("A", weight=9), llm("B"))
    assert await fleet.pick_in_turn(4) == "BBBB"


async def test_a_drained_instance_gets_no_call_even_in_panic(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await fleet.call_ends("B", "failed", times=3)
    await admin.drain(redis, "A")
    assert await fleet.pick_in_turn(3) == "BBB"


async def test_an_ejected_instance_gets_no_call_until_its_time_is_over(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await admin.eject(redis, "A", for_s=300)
    await fleet.time_passes(290, "A")
    assert await fleet.pick_in_turn(4) == "BBBB"
    await fleet.time_passes(20, "A")
    assert "A" in await fleet.pick_in_turn(4)


async def test_a_check_that_passes_does_not_shorten_what_the_operator_ejected(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await admin.eject(redis, "A", for_s=300)
    await fleet.check("A", True, True)
    assert await fleet.pick_in_turn(4) == "BBBB"


async def test_a_call_that_ends_well_does_not_shorten_what_the_operator_ejected(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    under_way = await fleet.pick()
    await admin.eject(redis, under_way.name, for_s=300)
    await fleet.finish(under_way, "ok")
    assert under_way.name not in await fleet.pick_in_turn(4)


async def test_an_instance_that_left_the_yaml_cannot_be_steered(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await fleet.hold(2)
    await fleet.configure("round_robin", llm("B"))
    with pytest.raises(UnknownName, match="there are B"):
        await admin.restore(redis, "A")


async def test_a_restored_instance_is_picked_again_and_starts_slowly(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await admin.drain(redis, "A")
    await admin.eject(redis, "A", for_s=300)
    await fleet.check("A", False, False, False)
    await admin.restore(redis, "A")
    assert (await read_overview(redis)).instances[0].state == "slow start"
    assert "A" in await fleet.pick_in_turn(2)


async def test_restore_counts_health_from_nothing(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await fleet.check("A", False, False)
    await fleet.call_ends("A", "failed", times=2)
    await admin.restore(redis, "A")
    view = (await read_overview(redis)).instances[0]
    assert (view.state, view.failures, view.error_ratio, view.check_run) == ("ready", 0, 0, 0)
    assert view.failed_s_ago is None
    assert await fleet.call_ends("A", "failed", times=3) == ["", "", "ejected"]


async def test_what_was_learned_of_its_speed_survives_a_restore(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    await fleet.call_ends("A", "ok", latency_ms=700)
    await admin.restore(redis, "A")
    assert (await read_overview(redis)).instances[0].latency_ewma_ms == pytest.approx(700)


async def test_an_unknown_instance_is_refused_by_the_names_of_those_there_are(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    with pytest.raises(UnknownName, match="no instance is called 'C'; there are A, B"):
        await admin.drain(redis, "C")
    assert await fleet.fields("C") == {}


async def test_an_empty_redis_knows_no_instance_and_says_when_it_will(redis: RedisClient) -> None:
    with pytest.raises(UnknownName, match="there are none yet"):
        await admin.restore(redis, "A")

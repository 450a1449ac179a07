"""Which catalogue is in force, and what becomes of instances that left it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import Final

import pytest

from dispatcher.catalogue.model import Catalogue
from dispatcher.messages import Algorithm
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table as fleets
from dispatcher.routing.active_catalogue import ActiveCatalogue
from dispatcher.routing.router import Router
from tests.support.fleet import TURN, Fleet, catalogue_of, llm

OLD: Final = catalogue_of("round_robin", [llm("A"), llm("B")])
NEW: Final = catalogue_of("round_robin", [llm("B"), llm("C")])


def capped(cap: int | None) -> Catalogue:
    services = dict(OLD.services)
    services["llm"] = replace(services["llm"], max_concurrent=cap)
    return replace(OLD, services=services)


async def test_a_new_weight_moves_the_share_from_the_next_pick_on(fleet: Fleet) -> None:
    await fleet.configure("weighted_round_robin", llm("A", weight=3), llm("B", weight=1))
    assert await fleet.pick_in_turn(2) == "AA"
    await fleet.configure("weighted_round_robin", llm("A", weight=1), llm("B", weight=3))
    assert Counter(await fleet.pick_in_turn(8)) == {"A": 2, "B": 6}


async def test_a_new_algorithm_counts_from_the_next_pick_on(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    assert (await fleet.pick()).reason.startswith("round_robin")
    await fleet.configure("least_connections", llm("A"), llm("B"))
    assert (await fleet.pick()).reason.startswith("least_connections")


async def test_an_instance_that_left_keeps_its_calls_and_gets_no_new_one(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    slot = await fleet.pick()
    assert slot.name == "A"
    await fleet.configure("round_robin", llm("B"))
    assert await fleet.pick_in_turn(4) == "BBBB"
    assert await fleet.in_flight("A") == 1
    assert await fleets.prune(redis) == []
    await fleet.finish(slot, "ok")
    assert await fleets.prune(redis) == ["A"]
    assert await fleet.fields("A") == {}


async def test_an_instance_that_left_with_a_dead_caller_goes_when_the_lease_expires(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await fleet.pick()
    await fleet.configure("round_robin", llm("B"))
    await fleet.time_passes(keys.LEASE_TTL_MS / 1000, "A")
    assert await fleets.prune(redis) == ["A"]


async def test_an_instance_that_comes_back_still_counts_its_calls(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    await fleet.pick()
    await fleet.configure("round_robin", llm("B", cap=1))
    await fleet.configure("round_robin", llm("A", cap=1), llm("B", cap=1))
    assert await fleet.hold(1) == {"B": 1}
    assert await fleets.prune(redis) == []
    assert await fleet.in_flight("A") == 1


async def test_another_server_under_the_same_name_begins_without_a_past(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A"))
    await fleet.call_ends("A", "failed", times=3)
    await fleet.set_fields("A", draining=1)
    await fleet.configure("round_robin", replace(llm("A"), endpoint="http://127.0.0.1:9/elsewhere"))
    fields = await fleet.fields("A")
    assert "ejected_until_ms" not in fields
    assert fields["draining"] == "1"


async def test_the_cap_of_a_service_holds_until_it_is_taken_away(fleet: Fleet, redis: RedisClient) -> None:
    await fleets.publish(redis, capped(1))
    await fleet.pick()
    assert not hasattr(await fleet.try_pick(), "name")
    await fleets.publish(redis, capped(None))
    await fleet.pick()


@pytest.mark.parametrize("algorithm", ["round_robin", "least_connections"])
async def test_the_same_catalogue_again_is_no_new_revision(redis: RedisClient, algorithm: Algorithm) -> None:
    catalogue = catalogue_of(algorithm, [llm("A")])
    first = await fleets.publish(redis, catalogue)
    assert (await fleets.publish(redis, catalogue)).revision == first.revision == 1


async def test_a_process_that_starts_with_an_older_file_follows(redis: RedisClient) -> None:
    await fleets.publish(redis, NEW)
    live = ActiveCatalogue(redis, OLD, activated_at_s=time.time() - 60)
    await live.sync()
    assert live.current == NEW
    assert await redis.execute("HGET", keys.fleet("llm"), "names") == b"B,C"


async def test_a_file_that_was_written_after_the_last_choice_wins(redis: RedisClient) -> None:
    await fleets.publish(redis, OLD, activated_at_ms=int((time.time() - 60) * 1000))
    live = ActiveCatalogue(redis, NEW, activated_at_s=time.time() - 30)
    await live.sync()
    assert live.current == NEW
    assert await redis.execute("HGET", keys.fleet("llm"), "names") == b"B,C"


async def test_a_file_from_the_future_does_not_win_over_an_operator(redis: RedisClient) -> None:
    starter = ActiveCatalogue(redis, OLD, activated_at_s=time.time() + 3600)
    await starter.sync()
    await fleets.publish(redis, NEW)
    await starter.sync()
    assert starter.current == NEW


async def test_an_operator_may_go_back_to_an_older_file(redis: RedisClient) -> None:
    live = ActiveCatalogue(redis, NEW, activated_at_s=time.time())
    await live.sync()
    await fleets.publish(redis, OLD)
    await live.sync()
    assert live.current == OLD


async def test_after_redis_came_back_empty_the_later_choice_is_told_again(redis: RedisClient) -> None:
    reloaded = ActiveCatalogue(redis, OLD, activated_at_s=0)
    await reloaded.adopt(NEW)
    await redis.execute("FLUSHALL")
    stale = ActiveCatalogue(redis, OLD, activated_at_s=time.time() - 60)
    await stale.sync()
    await reloaded.sync()
    await stale.sync()
    assert (reloaded.current, stale.current) == (NEW, NEW)


async def test_a_fleet_that_was_lost_in_part_is_written_again(fleet: Fleet, redis: RedisClient) -> None:
    await fleets.publish(redis, NEW)
    await redis.execute("DEL", keys.fleet("llm"))
    await ActiveCatalogue(redis, OLD, activated_at_s=time.time() - 60).sync()
    assert Counter(await fleet.pick_in_turn(2)) == {"B": 1, "C": 1}


async def test_a_lease_on_an_unknown_name_is_looked_up(redis: RedisClient) -> None:
    router = Router(redis, OLD)
    await fleets.publish(redis, catalogue_of("round_robin", [llm("newcomer")]))
    async with router.lease("llm", turn_id=TURN, deadline_at_s=time.time() + 60) as lease:
        assert lease.instance == llm("newcomer")
    assert router.active.revision == 1


async def test_a_call_under_way_keeps_the_instance_that_it_was_given(redis: RedisClient) -> None:
    router = Router(redis, catalogue_of("round_robin", [llm("A")]))
    async with router.lease("llm", turn_id=TURN, deadline_at_s=time.time() + 60) as lease:
        await router.active.adopt(NEW)
        assert lease.instance == llm("A")
        assert await redis.execute("ZCARD", keys.leases("llm", "A")) == 1
    assert await redis.execute("ZCARD", keys.leases("llm", "A")) == 0


async def test_a_field_is_set_on_instances_that_are_known_only(redis: RedisClient) -> None:
    known = Fleet(redis)
    await known.configure("round_robin", llm("a", cap=8))
    assert await fleets.set_field(redis, "llm", "a", field="cap_limit", value="1")
    await known.hold(1)
    assert (await known.try_pick()).full  # type: ignore[union-attr]
    assert await fleets.set_field(redis, "llm", "a", field="cap_limit", value="")
    assert "cap_limit" not in await known.fields("a")
    assert not await fleets.set_field(redis, "llm", "gone", field="cap_limit", value="1")
    assert not await redis.execute("EXISTS", keys.instance("llm", "gone"))

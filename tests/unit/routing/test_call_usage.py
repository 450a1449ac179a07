"""Usage of a call, counted in Redis as its lease is given back."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dispatcher.catalogue.model import Catalogue
from dispatcher.catalogue.usage_rules import Price, UsageRules
from dispatcher.errors import InstanceFailed
from dispatcher.redis_client import keys
from dispatcher.redis_client.decoding import as_text
from dispatcher.routing.call_usage import CallUsage, Payer
from dispatcher.routing.router import Router
from dispatcher.routing.rules import constants
from tests.support.fleet import Fleet, catalogue_of, llm

PRICED = replace(llm("A"), price=Price(prompt_tokens=2, completion_tokens=8))
CATALOGUE = catalogue_of("round_robin", [PRICED])
KITCHEN = Payer(device_id="02:00:00:00:00:01", persona="kids")


@pytest.fixture
async def router(fleet: Fleet) -> AsyncIterator[Router]:
    """A router to one instance with a price."""
    await fleet.configure("round_robin", PRICED)
    yield Router(fleet.redis, CATALOGUE)
    assert await fleet.in_flight("A") == 0


async def use(router: Router, **amounts: float) -> None:
    """Make a call of the kitchen that uses so much."""
    async with router.lease("llm", turn_id="t", deadline_at_s=time.time() + 9, payer=KITCHEN) as lease:
        lease.usage.reported.update(amounts)  # type: ignore[arg-type]


async def counters(fleet: Fleet) -> dict[str, float]:
    """Return the counters of the only day, instance and device, by unit."""
    found = as_text(await fleet.redis.execute("HGETALL", keys.USAGE))
    assert {name.split("\x1f")[1:5] == ["llm", "A", KITCHEN.device_id, "kids"] for name in found} <= {True}
    return {name.rpartition("\x1f")[2]: float(amount) for name, amount in found.items()}


async def test_calls_add_up_with_their_cost(fleet: Fleet, router: Router) -> None:
    await use(router, prompt_tokens=1000, cached_tokens=900, completion_tokens=50)
    await use(router, prompt_tokens=2000, completion_tokens=50)
    assert await counters(fleet) == pytest.approx(
        {"calls": 2, "prompt_tokens": 3000, "cached_tokens": 900, "completion_tokens": 100, "cost": 0.0068}
    )


async def test_a_call_that_failed_after_a_part_is_counted_and_marked(fleet: Fleet, router: Router) -> None:
    async def fail() -> None:
        async with router.lease("llm", turn_id="t", deadline_at_s=time.time() + 9, payer=KITCHEN) as lease:
            lease.usage.counted["prompt_tokens"] = 500
            raise InstanceFailed("A", "HTTP 500")

    with pytest.raises(InstanceFailed):
        await fail()
    assert await counters(fleet) == pytest.approx(
        {"calls": 1, "counted_calls": 1, "prompt_tokens": 500, "cost": 0.001}
    )


async def test_a_call_that_used_nothing_leaves_no_counter(fleet: Fleet, router: Router) -> None:
    await use(router)
    assert await counters(fleet) == {}


@pytest.mark.parametrize(
    "catalogue",
    [replace(CATALOGUE, usage=UsageRules(enabled=False)), catalogue_of("round_robin", [])],
    ids=["switched off", "left the catalogue"],
)
async def test_nothing_is_counted(fleet: Fleet, router: Router, catalogue: Catalogue) -> None:
    async with router.lease("llm", turn_id="t", deadline_at_s=time.time() + 9) as lease:
        lease.usage.reported["prompt_tokens"] = 5
        router.active.current = catalogue
    assert await counters(fleet) == {}


async def test_a_flood_of_devices_does_not_fill_redis(fleet: Fleet, router: Router) -> None:
    many = [word for number in range(constants.USAGE_COUNTERS_MAX) for word in (f"d{number}", 1)]
    await fleet.redis.execute("HSET", keys.USAGE, *many)
    await use(router, prompt_tokens=1000)
    assert await fleet.redis.execute("HLEN", keys.USAGE) == constants.USAGE_COUNTERS_MAX


def test_what_the_instance_says_comes_in_the_place_of_our_count() -> None:
    usage = CallUsage(reported={"prompt_tokens": 812}, counted={"prompt_tokens": 800, "completion_tokens": 9})
    assert usage.amounts == {"prompt_tokens": 812, "completion_tokens": 9}
    assert usage.is_counted
    usage.reported["completion_tokens"] = 8
    assert not usage.is_counted

"""Usage of a call, counted in Redis as its lease is given back."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from dispatcher.catalogue.model import Catalogue
from dispatcher.catalogue.usage_rules import Price, UsageRules
from dispatcher.errors import InstanceFailed
from dispatcher.redis_client import keys
from dispatcher.redis_client.decoding import as_text
from dispatcher.routing.call_usage import CallUsage, Payer
from dispatcher.routing.router import Router
from dispatcher.routing.rules import constants
from dispatcher.telemetry import usage_counters
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


async def use(router: Router, *, payer: Payer = KITCHEN, **amounts: float) -> None:
    """Make a call, of the kitchen by default, that uses so much."""
    async with router.lease("llm", turn_id="t", deadline_at_s=time.time() + 9, payer=payer) as lease:
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


async def test_a_call_that_failed_after_a_part_is_counted_and_marked_and_a_silent_one_is_not(
    fleet: Fleet, router: Router
) -> None:
    async def fail(*, silent: bool) -> None:
        async with router.lease("llm", turn_id="t", deadline_at_s=time.time() + 9, payer=KITCHEN) as lease:
            lease.usage.counted |= {"prompt_tokens": 500, "completion_tokens": 0 if silent else 10}
            raise InstanceFailed("A", "HTTP 500")

    with pytest.raises(InstanceFailed):
        await fail(silent=True)
    assert await counters(fleet) == {}
    with pytest.raises(InstanceFailed):
        await fail(silent=False)
    assert await counters(fleet) == pytest.approx(
        {"calls": 1, "counted_calls": 1, "prompt_tokens": 500, "completion_tokens": 10, "cost": 0.00108}
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
    await use(router, prompt_tokens=1000)
    many = [word for number in range(constants.USAGE_COUNTERS_MAX) for word in (f"d{number}", 1)]
    await fleet.redis.execute("HSET", keys.USAGE, *many)
    assert constants.USAGE_OTHERS in await usage_counters.read_crowding(fleet.redis)
    for device in ("02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"):
        await use(router, payer=Payer(device_id=device, persona="kids"), prompt_tokens=1000)
    found = as_text(await fleet.redis.execute("HGETALL", keys.USAGE))
    totals = usage_counters.amounts_in({"counters": found})
    assert {(key.device, key.persona): amounts["calls"] for key, amounts in totals.items()} == {
        (KITCHEN.device_id, "kids"): 2,
        (constants.USAGE_OTHERS, ""): 2,
    }
    with capture_logs() as logged:
        await usage_counters.move_to_stream(fleet.redis)
    assert [each["event"] for each in logged] == ["usage of many devices is one row"]
    assert await usage_counters.read_crowding(fleet.redis) == ""


def test_what_the_instance_says_comes_in_the_place_of_our_count() -> None:
    usage = CallUsage(reported={"prompt_tokens": 812}, counted={"prompt_tokens": 800, "completion_tokens": 9})
    assert usage.amounts == {"prompt_tokens": 812, "completion_tokens": 9}
    assert usage.is_counted
    usage.reported["completion_tokens"] = 8
    assert not usage.is_counted

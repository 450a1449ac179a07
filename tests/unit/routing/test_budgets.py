"""Budgets in the pick: local instances before and after they are spent, exact to one call."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from dispatcher.catalogue.usage_rules import Budget, Price, UsageRules
from dispatcher.errors import BudgetSpent
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.redis_client.decoding import as_text
from dispatcher.routing import decisions, instance_table, leases
from dispatcher.routing.applied_budgets import Budgets, budgets_of, read_barred
from dispatcher.routing.budget_views import read_budgets
from dispatcher.routing.call_usage import Payer
from dispatcher.routing.leases import NoSlot, Slot
from dispatcher.routing.router import Router
from dispatcher.routing.rules.budgets import LARGE_CALL, counter_of
from dispatcher.routing.rules.usage import day_of
from dispatcher.routing.service_loads import read_loads
from tests.support.broker import Broker
from tests.support.fleet import Fleet, catalogue_of, llm
from tests.support.waiting import soon

KITCHEN = Payer(device_id="02:00:00:00:00:01", persona="kids")
# A large call of these costs one.
PRICE = Price(calls=1)
CLOUD = replace(llm("cloud", cap=100, priority="high"), price=PRICE)
LOCAL = llm("local", cap=100)
# As a lease that somebody renews however long the test takes.
LATER_MS = 2**50


class House:
    """A router over instances and budgets, and calls of the kitchen."""

    def __init__(self, fleet: Fleet, *instances: object, **budgets: Budget) -> None:
        self.fleet = fleet
        rules = UsageRules(budgets=budgets)
        self.catalogue = replace(catalogue_of("round_robin", instances), usage=rules)  # type: ignore[arg-type]
        self.router = Router(fleet.redis, self.catalogue)

    async def call(self, payer: Payer = KITCHEN, *, router: Router | None = None, pause_s: float = 0) -> str:
        """Return the instance that a call went to, which used a token."""
        within = {"turn_id": "a-turn", "deadline_at_s": time.time() + 9, "payer": payer}
        async with (router or self.router).lease("llm", **within) as lease:  # type: ignore[arg-type]
            await asyncio.sleep(pause_s)
            lease.usage.reported["prompt_tokens"] = 1
        return lease.instance.name

    async def calls(self, count: int) -> list[str]:
        """Return where calls went, one after the other."""
        return [await self.call() for _ in range(count)]

    def budgets(self) -> Budgets:
        """Return those that hold for a call of the kitchen."""
        return budgets_of(self.catalogue, "llm", KITCHEN.device_id, KITCHEN.persona)

    def key(self, name: str = "b") -> str:
        """Return the key of a budget."""
        return keys.BUDGET_PREFIX + counter_of(name, self.catalogue.usage.budgets[name])

    async def budget(self, name: str = "b") -> Mapping[str, str]:
        """Return what Redis has of a budget."""
        return as_text(await self.fleet.redis.execute("HGETALL", self.key(name)))


async def house_of(fleet: Fleet, *instances: object, **budgets: Budget) -> House:
    """Return a house whose instances are published."""
    await fleet.configure("round_robin", *instances)  # type: ignore[arg-type]
    return House(fleet, *instances, **budgets)


async def test_local_instances_come_first_at_80_percent_and_alone_at_100(fleet: Fleet) -> None:
    house = await house_of(fleet, CLOUD, LOCAL, b=Budget(per="day", cost=10))
    assert await house.calls(10) == ["cloud"] * 8 + ["local"] * 2
    await fleet.set_fields("local", draining=1)
    assert await house.calls(2) == ["cloud"] * 2
    await fleet.set_fields("local", draining=0)
    assert await house.calls(2) == ["local"] * 2
    assert (await house.budget())["spent"] == "10"


async def test_a_call_that_is_cancelled_while_it_looks_holds_no_part_of_a_budget(
    fleet: Fleet, broker: Broker
) -> None:
    house = await house_of(fleet, CLOUD, b=Budget(per="day", cost=1))
    async with Redis.from_url(broker.url) as other:
        await other.client_pause(300, all=True)
    calling = asyncio.create_task(house.call())
    await asyncio.sleep(0.1)  # the look is on its way; Redis answers after its pause
    calling.cancel()
    await asyncio.wait({calling})

    async def was_picked_and_holds_none() -> bool:
        kept = await fleet.redis.execute("XRANGE", keys.DECISIONS, "-", "+")
        is_picked = any(b"instance" in fields for _, fields in kept)
        return is_picked and not any(name.startswith("held:") for name in await house.budget())

    await soon(was_picked_and_holds_none, what="the part is given back")


async def test_without_a_local_instance_a_call_is_refused_with_the_budget(fleet: Fleet) -> None:
    house = await house_of(fleet, CLOUD, b=Budget(per="month", cost=2))
    assert await house.calls(2) == ["cloud"] * 2
    with pytest.raises(BudgetSpent, match="budget b is spent, and no local instance is left"):
        await house.call()
    assert await fleet.redis.execute("ZCARD", keys.waiting("llm")) == 0


async def test_a_standby_takes_over_when_the_budget_is_spent_and_not_before(fleet: Fleet) -> None:
    standby = llm("standby", priority="standby")
    house = await house_of(fleet, CLOUD, standby, b=Budget(per="day", cost=3))
    assert await house.calls(4) == ["cloud"] * 3 + ["standby"]


async def test_a_budget_of_another_device_or_instance_bars_nothing(fleet: Fleet) -> None:
    other = replace(CLOUD, name="other", priority="normal")
    of_device, of_instance = (
        Budget(per="day", device="02:00:00:00:00:02", cost=1),
        Budget(per="day", instance="cloud", cost=1),
    )
    house = await house_of(fleet, CLOUD, other, device=of_device, instance=of_instance)
    assert await house.calls(3) == ["cloud", "other", "other"]
    assert await house.budget("device") == {}


async def test_devices_have_their_own_budgets_and_a_persona_one_for_all(fleet: Fleet) -> None:
    house = await house_of(
        fleet,
        CLOUD,
        LOCAL,
        kitchen=Budget(per="day", device=KITCHEN.device_id, cost=1),
        kids=Budget(per="day", persona="kids", cost=3),
    )
    bedroom = Payer(device_id="02:00:00:00:00:02", persona="kids")
    assert await house.calls(2) == ["cloud", "local"]
    assert [await house.call(bedroom) for _ in range(3)] == ["cloud", "cloud", "local"]


async def test_a_new_day_begins_with_nothing_spent(fleet: Fleet) -> None:
    house = await house_of(fleet, CLOUD, LOCAL, b=Budget(per="day", cost=1))
    assert await house.calls(2) == ["cloud", "local"]
    await fleet.redis.execute("HSET", house.key(), "period", "2020-01-01", "largest:tts", 9)
    assert await house.calls(2) == ["cloud", "local"]
    kept = await house.budget()
    assert (kept["spent"], kept["largest:llm"], kept.get("largest:tts")) == ("1", "1", None)


async def test_calls_at_the_same_moment_in_many_processes_exceed_it_by_no_call(
    fleet: Fleet, broker: Broker
) -> None:
    house = await house_of(fleet, CLOUD, LOCAL, b=Budget(per="day", cost=5))
    lines = [RedisClient(connect(broker.url)) for _ in range(4)]
    routers = [Router(line, house.catalogue) for line in lines]
    for _ in range(3):
        picked = Counter(
            await asyncio.gather(*(house.call(router=routers[n % 4], pause_s=0.05) for n in range(40)))
        )
        assert picked.total() == 40
        assert float((await house.budget())["spent"]) <= 5
    assert float((await house.budget())["spent"]) >= 4
    for line in lines:
        await line.close()


async def test_a_first_burst_holds_what_a_large_call_may_use(fleet: Fleet) -> None:
    large = sum(LARGE_CALL["llm"].values())
    house = await house_of(fleet, CLOUD, LOCAL, b=Budget(per="day", tokens=large * 2))
    picked = Counter(await asyncio.gather(*(house.call(pause_s=0.05) for _ in range(20))))
    assert picked == {"cloud": 2, "local": 18}
    # What they really used is little: there is room again.
    assert await house.call() == "cloud"


async def test_what_a_killed_worker_held_is_free_with_its_lease(fleet: Fleet) -> None:
    house = await house_of(fleet, CLOUD, LOCAL, b=Budget(per="day", cost=1))
    lost = await leases.pick(fleet.redis, "llm", turn_id="t", budgets=house.budgets())
    assert isinstance(lost, Slot)
    held = (keys.leases("llm", "cloud"), lost.lease_id)
    await fleet.redis.execute("ZADD", held[0], LATER_MS, lost.lease_id)
    assert await house.call() == "local"
    await fleet.redis.execute("ZREM", *held)
    assert await house.call() == "cloud"
    assert not [field for field in await house.budget() if field.startswith("held:")]


async def test_a_call_that_does_not_fit_beside_others_waits_for_the_end_of_one(fleet: Fleet) -> None:
    house = await house_of(fleet, CLOUD, b=Budget(per="day", tokens=50_000))
    period = day_of(time.time(), "")
    await fleet.redis.execute("HSET", house.key(), "period", period, "spent", 41_000)
    within = {"turn_id": "t", "lease_id": "second", "budgets": house.budgets()}
    first = await leases.pick(fleet.redis, "llm", turn_id="t", budgets=house.budgets())
    assert isinstance(first, Slot)
    assert await leases.pick(fleet.redis, "llm", **within) == NoSlot(full=True)  # type: ignore[arg-type]
    # Whom the budget is not of goes past it: the slot that is free is none that it could use.
    other = await leases.pick(fleet.redis, "llm", turn_id="other", lease_id="other")
    assert isinstance(other, Slot)
    await fleet.finish(first, "ok")
    picked = await leases.pick(fleet.redis, "llm", **within)  # type: ignore[arg-type]
    assert isinstance(picked, Slot)
    assert await fleet.redis.execute("HLEN", keys.line("excluded", "llm")) == 0


async def test_at_82_percent_calls_that_are_made_at_once_are_all_served(fleet: Fleet) -> None:
    house = await house_of(fleet, CLOUD, b=Budget(per="day", tokens=50_000))
    await fleet.redis.execute("HSET", house.key(), "period", day_of(time.time(), ""), "spent", 41_000)
    picked = await asyncio.gather(*(house.call(pause_s=0.01) for _ in range(3)))
    assert picked == ["cloud"] * 3


async def test_a_standby_is_spared_while_a_budget_is_only_set_aside(fleet: Fleet) -> None:
    house = await house_of(fleet, CLOUD, llm("standby", priority="standby"), b=Budget(per="day", cost=1))
    first = await leases.pick(fleet.redis, "llm", turn_id="t", budgets=house.budgets())
    assert isinstance(first, Slot)
    assert await leases.pick(fleet.redis, "llm", turn_id="t", budgets=house.budgets()) == NoSlot(full=True)


async def test_a_large_call_of_another_service_is_no_measure(fleet: Fleet) -> None:
    house = await house_of(fleet, CLOUD, LOCAL, b=Budget(per="day", cost=4))
    await fleet.redis.execute("HSET", house.key(), "period", day_of(time.time(), ""), "largest:tts", 9)
    picked = await asyncio.gather(*(house.call(pause_s=0.05) for _ in range(2)))
    assert picked == ["cloud", "cloud"]


async def test_another_unit_or_period_begins_anew(fleet: Fleet) -> None:
    house = await house_of(fleet, CLOUD, LOCAL, b=Budget(per="day", cost=2))
    assert await house.calls(2) == ["cloud"] * 2
    for changed in (Budget(per="day", tokens=20_000), Budget(per="month", cost=2)):
        other = House(fleet, CLOUD, LOCAL, b=changed)
        assert await other.budget() == {}
        await instance_table.publish(fleet.redis, other.catalogue)
        (view,) = await read_budgets(fleet.redis)
        assert (view.spent, view.state) == (0, "ok")
        assert await other.call() == "cloud"


async def test_a_call_that_was_given_up_gives_back_what_it_held(fleet: Fleet) -> None:
    house = await house_of(fleet, CLOUD, b=Budget(per="day", cost=1))
    calling = asyncio.create_task(house.call(pause_s=30))
    await soon(house.budget, what="a part of the budget is held")
    calling.cancel()
    await asyncio.wait([calling])
    assert await house.budget() == {}
    assert await house.call() == "cloud"


async def test_why_tells_of_the_budget(fleet: Fleet) -> None:
    house = await house_of(fleet, CLOUD, LOCAL, b=Budget(per="day", cost=1))
    await house.calls(2)
    _, second = await decisions.newest(fleet.redis, "llm")
    assert "budget b" in second.reason
    assert "cloud over budget b" in second.candidates


async def test_the_status_tells_what_is_spent(fleet: Fleet) -> None:
    house = await house_of(fleet, CLOUD, LOCAL, b=Budget(per="month", cost=2), c=Budget(per="day", tokens=4))
    await instance_table.publish(fleet.redis, house.catalogue)
    lines = [each.in_words() for each in await read_budgets(fleet.redis)]
    assert lines == ["budget b: 0 of 2 CNY this month", "budget c: 0 of 4 tokens this day"]
    await fleet.redis.execute("HSET", house.key("c"), "period", "2020-01-01", "spent", 4)
    await fleet.redis.execute("HSET", house.key(), "period", day_of(time.time(), "")[:7], "spent", 1.75)
    near, fresh = await read_budgets(fleet.redis)
    assert (near.state, fresh.state) == ("near", "ok")
    assert near.in_words() == "budget b: 1.75 of 2 CNY this month: local instances first"
    assert replace(near, spent=2).in_words().endswith("local instances only")


async def test_a_spent_budget_of_all_devices_leaves_no_free_paid_places(fleet: Fleet) -> None:
    of_one = Budget(per="day", device=KITCHEN.device_id, cost=1)
    house = await house_of(fleet, CLOUD, LOCAL, b=Budget(per="day", cost=2), one=of_one)
    await house.call()
    assert await read_barred(fleet.redis, house.catalogue) == {"asr": set(), "llm": set(), "tts": set()}
    await house.call(Payer())
    barred = await read_barred(fleet.redis, house.catalogue)
    assert barred["llm"] == {"cloud"}
    assert (await read_loads(fleet.redis))["llm"].slots == 200
    assert (await read_loads(fleet.redis, barred=barred))["llm"].slots == 100


async def test_without_budgets_nothing_of_them_is_read(fleet: Fleet) -> None:
    house = await house_of(fleet, CLOUD, LOCAL)
    await house.calls(3)
    assert await fleet.redis.execute("KEYS", keys.BUDGET_PREFIX + "*") == []

"""Budgets in a whole system: turns go on at the local instance when the paid one has cost enough."""

from __future__ import annotations

from dataclasses import replace

from redis import Redis

from dispatcher.catalogue.model import NO_PHRASES
from dispatcher.catalogue.usage_rules import Budget, Price, UsageRules
from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.redis_client import keys
from dispatcher.routing.rules.budgets import counter_of
from tests.support.stack import Stack
from tests.support.waiting import soon

DEVICE = "spender"


async def test_who_has_spent_the_budget_of_the_voices_hears_so(stack: Stack) -> None:
    own = stack.own_catalogue
    tts = own.services["tts"]
    instances = tuple(replace(each, price=Price(calls=1)) for each in tts.instances)
    services = {**own.services, "tts": replace(tts, instances=instances)}
    budget = Budget(per="day", device=DEVICE, cost=1)
    usage = UsageRules(budgets={"voices": budget})
    # Without the cache: other tests had the same sentences spoken.
    await stack.activate(replace(own, services=services, usage=usage, phrase_cache=NO_PHRASES))
    async with stack.front.device(DEVICE) as device:
        await device.types("what is one plus two?")
        answer = await device.types("what is two plus two?")
    await stack.activate(own)
    assert answer.sentences == (APOLOGIES["spent", "en"],)
    with Redis.from_url(stack.broker.url) as client:
        client.delete(keys.BUDGET_PREFIX + counter_of("voices", budget))


async def test_a_spent_budget_spills_to_the_local_instance(stack: Stack) -> None:
    own = stack.own_catalogue
    llm = own.services["llm"]
    paid, local = llm.instances
    instances = (replace(paid, priority="high", price=Price(calls=1)), local)
    services = {**own.services, "llm": replace(llm, instances=instances)}
    budget = Budget(per="day", device=DEVICE, cost=2)
    await stack.activate(replace(own, services=services, usage=UsageRules(budgets={"spender": budget})))
    since = stack.front.printed_bytes()
    async with stack.front.device(DEVICE) as device:
        for number in range(3):
            assert (await device.types(f"what is {number} plus two?")).sentences
    await stack.activate(own)

    async def finished() -> bool:
        return len(stack.front.events("turn finished", since)) == 3

    await soon(finished, what="three turns are finished")
    turns = stack.front.events("turn finished", since)
    # A busy machine may have had the local one asked beside the paid one, which was asked twice all the same.
    assert turns[-1]["llm_instance"] == local.name
    key = keys.BUDGET_PREFIX + counter_of("spender", budget)
    with Redis.from_url(stack.broker.url) as client:
        assert client.hget(key, "spent") == b"2"
        client.delete(key)

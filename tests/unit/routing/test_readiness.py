"""When the stages of a turn count as started, in a real Valkey."""

from __future__ import annotations

from dispatcher.catalogue.model import HealthRules
from dispatcher.messages import SERVICES
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table as instances
from dispatcher.routing.readiness import READY, read_stages
from tests.support.fleet import Fleet, llm


async def llm_stage(redis: RedisClient) -> str:
    """Return the state of the LLM stage while workers consume every queue."""
    for service in SERVICES:
        await redis.execute("SET", keys.served(service), 1)
    return (await read_stages(redis))["llm"]


async def fails_a_check(redis: RedisClient, name: str) -> None:
    await instances.note_check(redis, llm(name), reason="still loading", rules=HealthRules())


async def passes_a_check(redis: RedisClient, name: str) -> None:
    await instances.note_check(redis, llm(name), reason="", rules=HealthRules())


async def test_a_stage_without_a_worker_has_not_started(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    assert await read_stages(redis) == {"asr": "no worker", "llm": "no worker", "tts": "no worker"}


async def test_a_stage_starts_when_one_of_its_instances_has_loaded(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    await fails_a_check(redis, "A")
    await fails_a_check(redis, "B")
    assert await llm_stage(redis) == "no instance ready: A (still loading), B (still loading)"

    await passes_a_check(redis, "B")
    assert await llm_stage(redis) == READY


async def test_an_instance_that_nobody_has_checked_is_trusted(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    assert await llm_stage(redis) == READY


async def test_an_instance_that_was_well_and_fails_is_not_loading(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    await fleet.call_ends("A", "ok")
    await fails_a_check(redis, "A")
    assert await llm_stage(redis) == READY

"""Whole turns with LLMs as people have them: without probe pages, without their model, without a key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing import instance_table
from dispatcher.routing.overview import InstanceView, read_overview
from tests.support.instances import SENTENCES
from tests.support.model_server import FakeModelServer, serving
from tests.support.stack import Stack
from tests.support.waiting import soon

DEVICE: Final = "real-services"


@pytest.fixture
async def server() -> AsyncIterator[FakeModelServer]:
    """A model server on a port of its own."""
    async with serving() as fake:
        yield fake


@pytest.fixture
async def view(stack: Stack) -> AsyncIterator[RedisClient]:
    """The shared state; afterwards the stack's own file is in force again."""
    redis = RedisClient(connect(stack.broker.url))
    yield redis
    await redis.close()
    await stack.activate(stack.own_catalogue)


async def put_first(stack: Stack, *instances: Instance) -> None:
    """Let these LLM instances be used before those of the stack."""
    own = stack.own_catalogue
    llm = own.services["llm"]
    first = tuple(replace(each, priority="high") for each in instances)
    await stack.activate(
        replace(own, services={**own.services, "llm": replace(llm, instances=(*first, *llm.instances))})
    )


async def seen(redis: RedisClient, name: str) -> InstanceView:
    """Return what `dispatcher status` shows of an instance."""
    return next(each for each in (await read_overview(redis)).instances if each.name == name)


async def test_a_model_server_without_probe_pages_answers_the_turn_and_one_without_a_key_is_passed_over(
    stack: Stack, view: RedisClient, server: FakeModelServer
) -> None:
    bare = Instance(
        service="llm",
        name="cloud",
        endpoint="https://dashscope.aliyuncs.com/compatible-mode/v1",
        api_key_env="NO_SUCH_KEY",
    )
    await put_first(stack, bare, server.instance())
    async with stack.front.device(f"{DEVICE}-1") as device:
        assert (await device.types("hello?")).sentences == ("Hi",)

    async def is_told() -> bool:
        return (await seen(view, "cloud")).state == "not configured"

    await soon(is_told, what="status names the instance without a key")
    assert (await seen(view, "A")).state == "ready"
    assert (await instance_table.read(view, "llm", "cloud")).get("calls") is None, "no call went there"


async def test_a_model_that_is_not_there_is_named_and_the_others_answer(
    stack: Stack, view: RedisClient, server: FakeModelServer
) -> None:
    server.page_status, server.call_status = 200, 404
    server.models = {"data": [{"id": "qwen2.5:3b"}]}
    await put_first(stack, server.instance(model="qwen3:4b"))

    async def is_told() -> bool:
        return (await seen(view, "A")).state == "failing"

    await soon(is_told, what="the instance is failing")
    assert (await seen(view, "A")).last_reason == "no model qwen3:4b there; it has qwen2.5:3b"
    asked = len(server.calls)
    async with stack.front.device(f"{DEVICE}-2") as device:
        assert (await device.types("what now?")).sentences == SENTENCES
    assert len(server.calls) == asked, "nobody waits for its refusal"

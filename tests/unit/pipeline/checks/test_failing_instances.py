"""Instances whose model is not there, or whose line lacks a key, against real servers and a Valkey."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dispatcher.ops.instance_probe import Question, probe_instance
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import admin, decisions
from dispatcher.routing.leases import NoSlot, Slot
from tests.support.model_server import FakeModelServer, pick, publish, view_of


async def test_a_model_that_is_not_there_is_told_with_those_that_are_and_the_standby_serves(
    redis: RedisClient, server: FakeModelServer, check: Any
) -> None:
    server.page_status, server.call_status = 200, 404
    server.models = {"data": [{"id": f"qwen2.5:{size}b"} for size in range(9)]}
    instance = server.instance(model="qwen3:4b")
    standby = replace(server.instance(), name="B", endpoint="http://127.0.0.1:9/v1", priority="standby")
    await publish(redis, instance, standby)
    await check(instance)

    view = await view_of(redis)
    words = "no model qwen3:4b there; it has qwen2.5:0b, qwen2.5:1b, qwen2.5:2b, qwen2.5:3b, qwen2.5:4b, …"
    assert (view.state, view.last_reason) == ("failing", words)
    picked = await pick(redis)
    assert isinstance(picked, Slot)
    assert picked.name == "B"
    (decision,) = await decisions.newest(redis, "llm", most=1)
    assert decision.candidates == ("A failing", "B 0/4")

    server.models = {"data": [{"id": "qwen3:4b"}]}
    await check(instance)
    assert (await view_of(redis)).state != "failing", "it was pulled"


async def test_ollama_without_the_model_is_told_with_those_it_has(
    redis: RedisClient, server: FakeModelServer, check: Any
) -> None:
    server.page_status, server.page, server.call_status = 200, '{"models": []}', 404
    server.refusal = '{"error":"model \'qwen3:4b\' not found"}'
    server.models = {"models": [{"name": "qwen2.5:3b", "model": "qwen2.5:3b"}]}
    instance = server.instance(provider="ollama", model="qwen3:4b")
    await publish(redis, instance)
    await check(instance)

    view = await view_of(redis)
    assert (view.state, view.last_reason) == ("failing", "no model qwen3:4b there; it has qwen2.5:3b")


async def test_a_line_without_a_model_is_failing_where_the_server_wants_one(
    redis: RedisClient, server: FakeModelServer, check: Any
) -> None:
    server.page_status, server.call_status = 200, 404
    server.models = {"data": [{"id": "qwen2.5:3b"}]}
    await publish(redis, server.instance(model=None))
    await check(server.instance(model=None))

    view = await view_of(redis)
    assert (view.state, view.last_reason) == ("failing", "its line has no model; the server has qwen2.5:3b")


@pytest.mark.parametrize(
    ("model", "models"),
    [
        ("my-alias", {"data": [{"id": "Qwen/Qwen2.5-3B-Instruct"}]}),
        ("gpt-4o", {"data": [{"id": "gpt-4o-2024-08-06"}]}),
        ("any", {"data": [{"id": "/models/qwen.gguf", "owned_by": "llamacpp"}]}),
        ("qwen3-4b-q4", {"data": [{"id": "/srv/models/Qwen3-4B-Q4.gguf"}]}),
        ("gemini-2.5-flash", {"data": [{"id": "models/gemini-2.5-flash"}]}),
        ("m", {"data": []}),
        ("m", {"data": None}),
        ("m", ["x", 3, None, {}]),
    ],
)
async def test_a_list_alone_takes_out_no_server_whose_calls_succeed(
    redis: RedisClient, server: FakeModelServer, check: Any, model: str, models: Any
) -> None:
    server.page_status, server.models = 200, models
    await publish(redis, server.instance(model=model))
    await check(server.instance(model=model), times=4)
    assert (await view_of(redis)).state == "ready"
    assert len(server.calls) <= 1


@pytest.mark.parametrize("panic", [False, True])
async def test_an_instance_that_is_not_configured_is_never_picked(
    redis: RedisClient, server: FakeModelServer, check: Any, monkeypatch: pytest.MonkeyPatch, *, panic: bool
) -> None:
    bare = replace(server.instance(api_key_env="CLOUD_KEY"), priority="high")
    other = replace(server.instance(), name="B", endpoint="http://127.0.0.1:9/v1")
    await publish(redis, bare, *([] if panic else [other]))
    await check(bare)

    view = await view_of(redis)
    assert view.state == "not configured"
    assert "write `CLOUD_KEY=…` in the environment" in view.last_reason
    picked = await pick(redis)
    assert isinstance(picked, NoSlot) if panic else isinstance(picked, Slot) and picked.name == "B"
    assert server.calls == []

    monkeypatch.setenv("CLOUD_KEY", "key\r\n")
    await check(bare)
    assert (await view_of(redis)).state == "ready"


async def test_a_provider_that_breaks_ends_only_its_own_check(
    redis: RedisClient, server: FakeModelServer, check: Any
) -> None:
    broken = server.instance(provider="no-such-dialect")
    await publish(redis, broken)
    assert "the check broke" in (await check(broken)).reason


async def test_try_tells_the_models_that_are_there_and_trusts_a_call_that_succeeds(
    server: FakeModelServer,
) -> None:
    server.page_status, server.call_status = 200, 404
    server.models = {"data": [{"id": "qwen2.5:3b"}]}
    trial = await probe_instance(server.instance(model="qwen3:4b"), Question(text="hello"))
    assert trial.error is not None
    assert trial.health == "failing: no model qwen3:4b there; it has qwen2.5:3b"

    server.call_status, server.page_status, server.models = 200, 405, None
    trial = await probe_instance(server.instance(model="qwen3:4b"), Question(text="hello"))
    assert trial.error is None
    assert trial.health.startswith("well by its calls; no page says so: HTTP 405")


async def test_an_operator_ends_failing_as_well(redis: RedisClient, server: FakeModelServer) -> None:
    await publish(redis, server.instance())
    await redis.execute("HSET", keys.instance("llm", "A"), "failing", "no model m there")
    await admin.restore(redis, "A")
    assert (await view_of(redis)).state == "slow start"

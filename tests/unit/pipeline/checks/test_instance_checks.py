"""Health of instances whose pages say nothing, against real servers and a Valkey."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from dispatcher.messages import Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table as fleets
from dispatcher.routing.leases import Slot
from tests.support.model_server import FakeModelServer, age_of_last_call, call_ends, pick, publish, view_of

CALLS = {"llm": "/v1/chat/completions", "asr": "/v1/audio/transcriptions", "tts": "/v1/audio/speech"}


@pytest.mark.parametrize("status", [404, 405, 400, 500, 401])
@pytest.mark.parametrize("service", ["llm", "asr", "tts"])
async def test_a_server_without_probe_pages_stays_in_service_and_is_called_once(
    redis: RedisClient, server: FakeModelServer, check: Any, service: Service, status: int
) -> None:
    server.page_status = status
    await publish(redis, server.instance(service))
    await check(server.instance(service), times=5)

    assert (await view_of(redis)).state == "ready"
    assert isinstance(await pick(redis, service), Slot)
    assert server.calls == [CALLS[service]], "once, not in each round"
    if service == "llm":
        assert server.asked[0][1]["max_tokens"] == 1


@pytest.mark.parametrize("page", ["<html>Open WebUI</html>", ""])
async def test_a_page_of_html_or_of_nothing_is_no_fault(
    redis: RedisClient, server: FakeModelServer, check: Any, page: str
) -> None:
    server.page_status, server.page = 200, page
    await publish(redis, server.instance())
    await check(server.instance(), times=4)
    assert ((await view_of(redis)).state, server.calls) == ("ready", [])


async def test_a_paid_service_without_pages_is_not_called_for_its_health_until_it_is_down(
    redis: RedisClient, server: FakeModelServer, check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD", "key")
    paid = server.instance(api_key_env="CLOUD")
    await publish(redis, paid)
    await check(paid, times=4)
    assert ((await view_of(redis)).state, server.calls) == ("ready", [])

    for _ in range(5):
        await call_ends(redis, "failed")
    assert (await view_of(redis)).state == "ejected"
    await check(paid)
    assert server.calls == ["/v1/chat/completions"]


async def test_traffic_that_succeeds_is_health_enough(
    redis: RedisClient, server: FakeModelServer, check: Any
) -> None:
    await publish(redis, server.instance())
    await call_ends(redis, "ok")
    await check(server.instance(), times=5)

    view = await view_of(redis)
    assert (view.state, view.check_run, server.calls) == ("ready", 5, [])


async def test_a_server_whose_calls_fail_as_its_pages_do_goes_down_and_comes_back(
    redis: RedisClient, server: FakeModelServer, check: Any
) -> None:
    server.page_status = server.call_status = 500
    instance = server.instance()
    await publish(redis, instance)
    for _ in range(3):
        await check(instance)
        await age_of_last_call(redis, "called_at_ms")
    assert (await view_of(redis)).state == "down"

    server.call_status = 200
    for _ in range(2):
        await check(instance)
        await age_of_last_call(redis, "called_at_ms")
    assert (await view_of(redis)).state == "slow start"


async def test_a_page_that_worked_before_and_breaks_is_evidence_until_a_call_proves_otherwise(
    redis: RedisClient, server: FakeModelServer, check: Any
) -> None:
    instance = server.instance()
    await publish(redis, instance)
    server.page_status = 200
    await check(instance)
    server.page_status = 500
    assert (await check(instance, times=3)).reason.startswith("HTTP 500")
    assert ((await view_of(redis)).state, server.calls) == ("down", [])

    for _ in range(6):
        await check(instance)
        await age_of_last_call(redis, "called_at_ms")
    assert (await view_of(redis)).state in ("slow start", "ready"), "and it does not go down again"


async def test_a_model_changed_in_the_yaml_is_a_new_beginning(
    redis: RedisClient, server: FakeModelServer
) -> None:
    await publish(redis, server.instance())
    await redis.execute(
        "HSET", keys.instance("llm", "A"), "page_worked", 1, "draining", 1, "failing", "no model"
    )
    await publish(redis, server.instance(model="other"))

    fields = await fleets.read(redis, "llm", "A")
    assert "page_worked" not in fields
    assert "failing" not in fields
    assert fields["draining"] == "1", "what an operator said stays"


async def test_nobody_listening_is_down_whatever_pages_there_were(redis: RedisClient, check: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    instance = FakeModelServer(port=port).instance()
    await publish(redis, instance)
    await check(instance, times=3)
    assert (await view_of(redis)).state == "down"


@pytest.mark.parametrize("state", ["down", "failing"])
async def test_a_call_that_succeeds_brings_back_what_checks_took_out(
    redis: RedisClient, server: FakeModelServer, state: str
) -> None:
    await publish(redis, server.instance())
    fields = {"down": ("healthy", 0, "check_run", -7), "failing": ("failing", "no model m there")}[state]
    await redis.execute("HSET", keys.instance("llm", "A"), *fields)
    assert (await view_of(redis)).state == state

    assert await call_ends(redis, "ok") == "recovered"
    view = await view_of(redis)
    assert (view.state, view.check_run) == ("slow start", 0)

from __future__ import annotations

import pytest

from tests.unit.bundled.instances import Speaker, asking, serving


async def test_an_instance_without_its_engine_is_not_healthy() -> None:
    async with serving("llm", None) as client:
        answer = await client.get("/health")
        assert answer.status == 503
        assert (await answer.json())["status"] == "loading"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions"])
async def test_calls_while_loading_are_told_to_come_back(path: str) -> None:
    async with serving("llm", None) as client:
        answer = await client.request("GET" if path.endswith("models") else "POST", path, json=asking())
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "1"
        assert (await answer.json())["error"]["code"] == "busy"


async def test_health_tells_what_the_instance_is_and_uses() -> None:
    async with serving("llm", Speaker()) as client:
        answer = await client.get("/health")
        health = await answer.json()
    assert answer.status == 200
    assert (health["status"], health["service"], health["engine"]) == ("ok", "llm", "fake")
    assert health["in_flight"] == 0
    assert health["cpu"] is None or 0 <= health["cpu"] <= 1
    assert 0 < health["memory"] < 1
    assert health["memory_bytes"] > 1_000_000


async def test_models_lists_the_one_there_is() -> None:
    async with serving("llm", Speaker()) as client:
        answer = await (await client.get("/v1/models")).json()
    assert answer["object"] == "list"
    assert [model["id"] for model in answer["data"]] == ["speaker"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v2/x", 404), ("DELETE", "/health", 405), ("POST", "/faults", 404)],
)
async def test_an_unknown_address_is_answered_in_the_dialect(method: str, path: str, status: int) -> None:
    async with serving("llm", Speaker()) as client:
        answer = await client.request(method, path)
        assert answer.status == status
        assert f"{method} {path}" in (await answer.json())["error"]["message"]

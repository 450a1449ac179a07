"""The front's client of one device, alone: devices that are slow, leave, or page for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dispatcher.device_simulator.tools import Board, DeviceMcpServer
from dispatcher.front.connection import device_tool_client
from dispatcher.front.connection.device_tool_client import MAX_PAGES, MAX_TOOLS, DeviceToolClient, answer_call
from dispatcher.redis_client.client import RedisClient
from dispatcher.tools import device_calls

Answer = Callable[[Mapping[str, Any]], Any]


class Far:
    """The far end: a device that answers as it is told, in the same loop."""

    def __init__(self, redis: RedisClient, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Mapping[str, Any]] = []
        self.tools = DeviceToolClient(redis, self._hears, device_id="far")

    def _hears(self, payload: Mapping[str, Any]) -> None:
        self.asked.append(payload)
        answer = self.answer(payload)
        if answer is not None:
            asyncio.get_running_loop().call_soon(self.tools.on_payload, answer)

    async def learned(self) -> str:
        """Learn all that there is, and return the name of the list."""
        self.tools.start()
        assert self.tools._listing is not None
        await self.tools._listing
        return await self.tools.list_name()


def stock(payload: Mapping[str, Any]) -> Any:
    return DeviceMcpServer(Board().tools()).answer(payload)


async def test_the_list_is_kept_where_workers_read_it(redis: RedisClient) -> None:
    name = await Far(redis, stock).learned()
    listed = await device_calls.read(redis, name)
    assert listed is not None
    assert [tool.name for tool in listed] == [tool.name for tool in Board().tools()]


async def test_devices_that_can_do_the_same_share_a_list(redis: RedisClient) -> None:
    assert await Far(redis, stock).learned() == await Far(redis, stock).learned() != ""


async def test_a_list_that_redis_lost_is_kept_again_by_a_turn(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Far(redis, stock)
    name = await far.learned()
    await redis.execute("FLUSHALL")
    monkeypatch.setattr(device_tool_client, "LIST_REFRESH_INTERVAL_S", 0.0)
    assert await far.tools.list_name() == name
    assert await device_calls.read(redis, name)


async def test_a_device_that_pages_for_ever_is_left_after_so_many(redis: RedisClient) -> None:
    def endless(payload: Mapping[str, Any]) -> Any:
        answer = stock(payload)
        if payload["method"] == "tools/list":
            answer["result"] = {"tools": [], "nextCursor": f"more-{payload['id']}"}
        return answer

    far = Far(redis, endless)
    assert await far.learned() == ""
    assert sum(payload.get("method") == "tools/list" for payload in far.asked) == MAX_PAGES


async def test_a_device_has_at_most_so_many_tools(redis: RedisClient) -> None:
    def greedy(payload: Mapping[str, Any]) -> Any:
        answer = stock(payload)
        if payload["method"] == "tools/list":
            first = payload["id"] * 100
            schema = {"type": "object"}
            tools = [{"name": f"self.t{first + number}", "inputSchema": schema} for number in range(50)]
            answer["result"] = {"tools": tools, "nextCursor": f"more-{first}"}
        return answer

    listed = await device_calls.read(redis, await Far(redis, greedy).learned())
    assert listed is not None
    assert len(listed) == MAX_TOOLS


async def test_what_was_listed_before_a_page_failed_is_kept(redis: RedisClient) -> None:
    def torn(payload: Mapping[str, Any]) -> Any:
        if payload.get("method") == "tools/list" and payload["params"]["cursor"]:
            return {"jsonrpc": "2.0", "id": payload["id"], "error": {"message": "out of memory"}}
        return DeviceMcpServer(Board().tools(), page_characters=500).answer(payload)

    assert await device_calls.read(redis, await Far(redis, torn).learned())


async def test_a_call_without_an_answer_is_not_known_to_be_done(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Far(redis, stock)
    await far.learned()
    far.answer = lambda _: None
    monkeypatch.setattr(device_tool_client, "TOOL_TIMEOUT_S", 0.05)
    result = await far.tools.call("self.screen.set_theme", {"theme": "dark"})
    assert result.failed
    assert result.text.endswith("so it is not known whether it was done")


async def test_a_device_that_leaves_ends_the_wait(redis: RedisClient) -> None:
    far = Far(redis, lambda _: None)
    calling = asyncio.create_task(far.tools.call("self.screen.set_theme", {"theme": "dark"}))
    await asyncio.sleep(0)
    far.tools.close()
    assert "the device left" in (await calling).text


async def test_an_answer_that_comes_twice_or_to_nothing_is_dropped(redis: RedisClient) -> None:
    far = Far(redis, stock)
    await far.learned()
    for payload in ({"id": 1, "result": {}}, {"id": 10**9, "result": {}}, None, "text"):
        far.tools.on_payload(payload)
    assert not (await far.tools.call("self.get_device_status", {})).failed


async def test_a_request_of_another_version_is_no_call(redis: RedisClient) -> None:
    far = Far(redis, stock)
    for request in ("", "7", "[1]", "{}"):
        await answer_call(redis, far.tools, request)
    assert far.asked == []


async def test_a_turn_of_a_device_without_tools_gets_an_answer(redis: RedisClient) -> None:
    call = device_calls.DeviceCall(call_id="c1", tool="self.x", arguments={})
    await answer_call(redis, None, call.as_text())
    answered = await device_calls.read_answer(redis, "c1")
    assert answered is not None
    assert answered.failed

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dispatcher.dialogue.history import Message
from dispatcher.dialogue.local_time import NOW_TOOL
from dispatcher.errors import TurnCancelled
from dispatcher.messages import TurnTicket
from dispatcher.pipeline.toolbox import MAX_CALLS, Toolbox
from dispatcher.tools.model import ListedTool, ToolCall, ToolResult
from tests.unit.pipeline.fake_worker import FakeWorker, ticket_of

LIGHT = ListedTool(
    name="self.light.set",
    description="Switch the light",
    parameters={"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]},
)


class FakeTools:
    """A device and a tool server that do as they are asked."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Mapping[str, Any]]] = []

    async def listed(self, _: str) -> tuple[ListedTool, ...]:
        """Return the device's only tool."""
        return (LIGHT,)

    async def call(
        self, where: TurnTicket | str, tool: str, arguments: Mapping[str, Any], *, timeout_s: float
    ) -> ToolResult:
        """Note the call and say that it was done."""
        assert timeout_s > 0
        self.done.append((tool, arguments))
        return ToolResult(text=f"done by {where if isinstance(where, str) else 'device'}")


async def opened(*, try_act: bool = True) -> tuple[Toolbox, FakeTools, FakeWorker]:
    """Return the tools of a turn, of which another sending may have acted."""
    tools, worker = FakeTools(), FakeWorker.with_instances()
    servers = SimpleNamespace(listed=lambda: [("weather", LIGHT)], call=tools.call)
    worker.redis.answers["SET"] = b"OK" if try_act else None
    context = replace(worker.context, device_tools=cast("Any", tools), tool_servers=cast("Any", servers))
    return await Toolbox.opened(context, ticket_of()), tools, worker


def call(name: str, arguments: str = '{"on": true}') -> ToolCall:
    return ToolCall(id="1", name=name, arguments=arguments)


async def run(toolbox: Toolbox, *calls: ToolCall) -> list[str]:
    results: list[Message] = await toolbox.run(calls, deadline_at_s=ticket_of().deadline_at_s)
    return [message.content for message in results]


async def test_tools_of_device_and_servers_are_offered_under_names_of_their_own_and_the_clock() -> None:
    toolbox, _, _ = await opened()
    names = [tool.name for tool in toolbox.offered]
    assert len(set(names)) == 3
    assert names[-1] == NOW_TOOL.name


async def test_a_call_is_made_where_its_tool_is_and_counted() -> None:
    toolbox, tools, worker = await opened()
    device, server, _ = (tool.name for tool in toolbox.offered)
    assert await run(toolbox, call(device), call(server)) == ["done by device", "done by weather"]
    assert tools.done == [(LIGHT.name, {"on": True})] * 2
    assert toolbox.called == 2
    assert worker.redis.said == [("tool", ""), ("tool", "")], "the front waits while a server is called"


async def test_arguments_that_do_not_fit_and_unknown_tools_are_errors_for_the_llm() -> None:
    toolbox, tools, _ = await opened()
    name = toolbox.offered[0].name
    answers = await run(toolbox, call(name, "{}"), call("no_such_tool"))
    assert all(answer.startswith("Error: ") for answer in answers)
    assert not tools.done


async def test_the_clock_tells_the_time_of_a_zone() -> None:
    toolbox, _, _ = await opened()
    known, unknown = await run(
        toolbox,
        call(NOW_TOOL.name, '{"timezone": "Asia/Tokyo"}'),
        call(NOW_TOOL.name, '{"timezone": "No/Where"}'),
    )
    assert not known.startswith("Error")
    assert "there is no time zone 'No/Where'" in unknown


async def test_a_turn_has_so_many_calls_and_no_more() -> None:
    toolbox, _, _ = await opened()
    name = toolbox.offered[0].name
    answers = await run(toolbox, *[call(name)] * (MAX_CALLS + 1))
    assert answers[-1].startswith("Error: not done")
    assert toolbox.offered == ()


async def test_another_sending_of_the_turn_does_not_act_again() -> None:
    toolbox, tools, worker = await opened(try_act=False)
    with pytest.raises(TurnCancelled):
        await run(toolbox, call(toolbox.offered[0].name))
    assert not tools.done
    assert not worker.redis.replies

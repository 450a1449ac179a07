"""Tool servers of other people, by standard input and by HTTP, called by an LLM in a whole system."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from dispatcher.catalogue import load_catalogue
from dispatcher.catalogue.mcp_server import McpServer
from dispatcher.errors import ToolError
from dispatcher.tools.mcp_session import MAX_RESULT_CHARACTERS, connected
from dispatcher.tools.tool_servers import ToolServers
from tests.integration.tools.conftest import SOURCE, WEATHER
from tests.support.scripted_models import ScriptedModels, calls, says
from tests.support.stack import Stack
from tests.support.waiting import soon

STDIO = McpServer(name="frog", command=sys.executable, args=(str(WEATHER),))


async def told_of(stack: Stack, models: ScriptedModels, tool: str, **arguments: Any) -> str:
    """Have the LLM call a tool, and return what it is told of the result."""
    models.script += [calls((tool, arguments)), says("So it is.")]
    async with stack.front.device(f"asks-{tool}"[:60]) as device:
        assert (await device.types("well?")).sentences == ("So it is.",)
    (result,) = [each["content"] for each in models.asked[-1]["messages"] if each["role"] == "tool"]
    return str(result)


def file_with(path: Path, like: str, *, args: list[str]) -> Path:
    """Write a configuration like another one, but with one server, and return its path."""
    content = yaml.safe_load(Path(like).read_text(encoding="utf-8"))
    content["mcp_servers"] = {"frog": {"command": sys.executable, "args": args}}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


async def test_a_command_is_called_with_the_variables_that_it_was_given(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    result = await told_of(tool_stack, models, "frog_forecast", city="Bonn", days=2)
    assert result == f"Bonn: rain for 2 days, by {SOURCE}"


async def test_an_address_is_called(tool_stack: Stack, models: ScriptedModels) -> None:
    result = await told_of(tool_stack, models, "almanac_forecast", city="北京")
    assert result == "北京: rain for 1 days, by the almanac"


async def test_only_allowed_tools_are_offered(tool_stack: Stack, models: ScriptedModels) -> None:
    async with tool_stack.front.device("curious") as device:
        await device.types("hello")
    names = [tool["function"]["name"] for tool in models.asked[0]["tools"]]
    assert [name for name in names if name.startswith("almanac_")] == ["almanac_forecast"]
    assert "frog_novel" in names
    assert "nothing_of_the_kind" in tool_stack.workers["llm"].output()


async def test_a_long_result_is_cut(tool_stack: Stack, models: ScriptedModels) -> None:
    assert len(await told_of(tool_stack, models, "frog_novel")) == MAX_RESULT_CHARACTERS + 1


async def test_a_tool_that_fails_is_told_as_an_error(tool_stack: Stack, models: ScriptedModels) -> None:
    result = await told_of(tool_stack, models, "frog_break_down")
    assert result.startswith("Error: ")
    assert "break_down" in result


async def test_a_server_that_dies_is_owned_up_to_and_comes_back(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    llm = tool_stack.workers["llm"]
    since_byte = llm.printed_bytes()
    assert (await told_of(tool_stack, models, "frog_die")).startswith("Error: ")

    async def back() -> bool:
        return "tool server connected" in llm.output(since_byte)

    await soon(back, what="the server is connected again")
    assert "tool server lost" in llm.output(since_byte)
    models.forget()
    assert "rain" in await told_of(tool_stack, models, "frog_forecast", city="Bonn")


async def test_a_tool_that_does_not_end_is_left_after_its_time() -> None:
    async with connected(STDIO) as session:
        result = await session.call("think_for_ever", {}, timeout_s=0.2)
        assert result.failed
        assert "not known whether it was done" in result.text
        assert not (await session.call("forecast", {"city": "Bonn"}, timeout_s=10)).failed


@pytest.mark.parametrize(
    "server",
    [
        McpServer(name="x", command="no-such-command-anywhere"),
        McpServer(name="x", command=sys.executable, args=("-c", "print('hello')")),
        McpServer(name="x", url="http://127.0.0.1:9/mcp"),
    ],
)
async def test_a_server_that_is_none_is_an_error_with_a_reason(server: McpServer) -> None:
    with pytest.raises(ToolError) as lost:
        async with connected(server):
            pass
    assert str(lost.value)


async def test_servers_are_followed_only_where_this_machines_file_names_them(
    tmp_path: Path, tool_stack: Stack
) -> None:
    like = tool_stack.environ["DISPATCHER_CONFIG"]
    path = file_with(tmp_path / "own.yaml", like, args=[str(WEATHER)])
    stranger = file_with(tmp_path / "other.yaml", like, args=["-c", "import os; os.abort()"])
    named, published_by_a_stranger = load_catalogue(path), load_catalogue(stranger)
    servers = ToolServers()
    try:
        await servers.follow_file(named, str(path))

        async def offered() -> bool:
            return bool(servers.listed())

        await soon(offered, what="the server of the file is connected")
        before = servers.listed()
        await servers.follow_file(published_by_a_stranger, str(path))
        await asyncio.sleep(0)
        assert servers.listed() == before
    finally:
        await servers.close()


def test_a_worker_without_servers_does_not_import_the_library() -> None:
    program = "import sys, workers.llm; print([name for name in sys.modules if name.split('.')[0] == 'mcp'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

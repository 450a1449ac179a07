"""A device's own tools, called in a whole system by the built-in assistant, spoken to and typed to."""

from __future__ import annotations

import asyncio
from typing import Any

from dispatcher.device_simulator.tools import Board, DeviceTool
from tests.support.scripted_models import ScriptedModels
from tests.support.stack import Stack
from tests.support.tool_device import ToolDevice, device_of, tools_known

SET_VOLUME = "self.audio_speaker.set_volume"


def refusals(stack: Stack, name: str) -> list[str]:
    """Return why tools of a device were refused."""
    events = stack.front.events("device tool refused")
    return [each["reason"] for each in events if each["device"] == name]


async def test_volume_spoken_in_english_is_set_and_confirmed(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    models.transcript = "Set the volume to thirty."
    async with device_of(tool_stack, "english") as device:
        answer = await device.says()
    assert device.board.volume == 30
    assert answer.transcript == "Set the volume to thirty."
    assert answer.sentences == ("Volume is now 30.",)
    assert answer.packets


async def test_volume_typed_in_chinese_is_set_and_confirmed(tool_stack: Stack) -> None:
    async with device_of(tool_stack, "chinese") as device:
        answer = await device.types("音量调到三十")
    assert device.board.volume == 30
    assert answer.sentences == ("音量已调到三十。",)


async def test_a_step_up_asks_the_device_first_how_it_stands(tool_stack: Stack) -> None:
    async with device_of(tool_stack, "louder") as device:
        answer = await device.types("大声一点")
    assert [call["name"] for call in device.called()] == ["self.get_device_status", SET_VOLUME]
    assert answer.sentences == ("音量已调到八十。",)


async def test_a_device_without_tools_hears_that_it_cannot(tool_stack: Stack, models: ScriptedModels) -> None:
    async with tool_stack.front.device("plain") as device:
        answer = await device.types("set the volume to 30")
    assert answer.sentences == ("I cannot change the volume of this device.",)
    assert not [tool for tool in models.asked[0]["tools"] if "volume" in tool["function"]["name"]]


async def test_the_first_words_of_a_connection_may_be_a_wish(tool_stack: Stack) -> None:
    async with ToolDevice.connected(tool_stack.front.socket_url, device_id="hasty") as device:
        await device.send({"type": "hello", "features": {"mcp": True}})
        answer = await device.types("volume to 30")
    assert answer.sentences == ("Volume is now 30.",)


async def test_forty_tools_on_many_pages_are_all_offered(tool_stack: Stack, models: ScriptedModels) -> None:
    many = [
        DeviceTool(name=f"self.lamp_{number}.turn_on", description="Turns a lamp on.", act=lambda _: "true")
        for number in range(36)
    ]
    async with device_of(tool_stack, "many", tools=[*many, *Board().tools()], page_characters=700) as device:
        assert len(device.called("tools/list")) > 5
        await device.types("hello")
    names = [tool["function"]["name"] for tool in models.asked[0]["tools"]]
    assert len([name for name in names if name.startswith("self_")]) == 40


async def test_a_tool_that_lies_about_its_schema_is_refused_and_the_rest_kept(tool_stack: Stack) -> None:
    lies: list[dict[str, Any]] = [
        {"name": "self.liar", "description": "x", "inputSchema": "none"},
        {"name": "self.huge", "description": "x", "inputSchema": {"type": "object", "title": "x" * 9_000}},
        {"name": "", "description": "x", "inputSchema": {"type": "object"}},
        {"name": "self.odd", "inputSchema": {"type": "object", "properties": {"a": {"type": "colour"}}}},
    ]
    async with ToolDevice.connected(tool_stack.front.socket_url, device_id="liar") as device:
        honest = device.mcp

        def answer(payload: Any) -> Any:
            answered = honest(payload)
            if payload.get("method") == "tools/list":
                answered["result"]["tools"][0:0] = [*lies, "no tool at all"]
            return answered

        device.mcp = answer
        await device.greets()
        await tools_known(tool_stack, "liar")
        assert (await device.types("volume to 20")).sentences == ("Volume is now 20.",)
    assert len(refusals(tool_stack, "liar")) == len(lies) + 1


async def test_a_device_that_never_answers_is_talked_to_without_tools(tool_stack: Stack) -> None:
    async with ToolDevice.connected(tool_stack.front.socket_url, device_id="silent") as device:
        device.mcp = lambda _: None
        await device.greets()
        answer = await device.types("volume to 20")
    assert answer.sentences == ("I cannot change the volume of this device.",)
    assert device.called("initialize")


async def test_a_device_that_answers_nonsense_is_talked_to_without_tools(tool_stack: Stack) -> None:
    nonsense = iter(["text", [], {"id": 1}, {"id": True, "result": {}}, {"jsonrpc": "2.0", "id": "1"}])
    async with ToolDevice.connected(tool_stack.front.socket_url, device_id="nonsense") as device:
        device.mcp = lambda _: next(nonsense, None)
        await device.greets()
        assert (await device.types("hello")).sentences
    assert not tool_stack.front.events("message not used: mcp")


async def test_an_error_without_a_code_is_owned_up_to(tool_stack: Stack, models: ScriptedModels) -> None:
    async with device_of(tool_stack, "failing") as device:
        device.mcp = lambda payload: {
            "jsonrpc": "2.0",
            "id": payload["id"],
            "error": {"message": "codec asleep"},
        }
        answer = await device.types("volume to 30")
    assert answer.sentences == ("Sorry, the volume could not be changed.",)
    (told,) = [each for each in models.asked[-1]["messages"] if each["role"] == "tool"]
    assert "codec asleep" in told["content"]


async def test_only_the_device_of_the_turn_is_ever_called(tool_stack: Stack) -> None:
    async with device_of(tool_stack, "one") as one, device_of(tool_stack, "other") as other:
        answers = await asyncio.gather(one.types("volume to 11"), other.types("volume to 22"))
        assert [answer.sentences for answer in answers] == [("Volume is now 11.",), ("Volume is now 22.",)]
    assert (one.board.volume, other.board.volume) == (11, 22)
    assert len(one.called()) == len(other.called()) == 1

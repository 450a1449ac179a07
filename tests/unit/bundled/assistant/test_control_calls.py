"""The built-in assistant and the tools that it is offered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from dispatcher.bundled.assistant.control_calls import next_call
from dispatcher.bundled.assistant.query import parse_query
from dispatcher.bundled.assistant.rules import answer
from dispatcher.bundled.engines import Call, Message, Tool
from dispatcher.device_simulator.tools import Board, DeviceMcpServer

NOW = datetime(2026, 11, 23, 15, 25, tzinfo=UTC)
TOOLS = [
    Tool(
        name=tool.name.replace(".", "_"),
        description=tool.description,
        parameters=tool.as_listed()["inputSchema"],
    )
    for tool in Board().tools()
]
SETTERS = [tool for tool in TOOLS if "status" not in tool.name]
VOLUME, BRIGHTNESS = "self_audio_speaker_set_volume", "self_screen_set_brightness"


def converse(said: str, tools: Sequence[Tool] = TOOLS, board: Board | None = None) -> tuple[list[Call], str]:
    """Return what is called on a device for these words, and what is answered in the end."""
    server = DeviceMcpServer((board or Board()).tools())
    messages = [Message(role="user", content=said)]
    calls: list[Call] = []
    while True:
        query = parse_query(messages, hint="auto", now=NOW, tools=tools)
        call = next_call(query)
        if call is None:
            return calls, answer(query)
        calls.append(call)
        assert len(calls) < 5
        name = call.tool.replace("self_", "self.", 1)
        for part in ("audio_speaker", "screen"):
            name = name.replace(f"{part}_", f"{part}.")
        params = {"name": name, "arguments": call.arguments}
        body: Any = server.answer({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        result = body["result"]["content"][0]["text"] if "result" in body else f"Error: {body['error']}"
        messages += [
            Message(role="assistant", content="", calls=(call,)),
            Message(role="tool", content=result),
        ]


@pytest.mark.parametrize(
    ("said", "tool", "value", "answered"),
    [
        ("Set the volume to thirty.", VOLUME, 30, "🙂 Volume is now 30."),
        ("volume to 30", VOLUME, 30, "🙂 Volume is now 30."),
        ("Could you please turn the volume up to eighty percent?", VOLUME, 80, "🙂 Volume is now 80."),
        ("Volume 5", VOLUME, 5, "🙂 Volume is now 5."),
        ("mute", VOLUME, 0, "🙂 Volume is now 0."),
        ("full volume", VOLUME, 100, "🙂 Volume is now 100."),
        ("set the brightness to 40 percent", BRIGHTNESS, 40, "🙂 Brightness is now 40."),
        ("音量调到三十", VOLUME, 30, "🙂 音量已调到三十。"),
        ("把音量调到百分之五十", VOLUME, 50, "🙂 音量已调到五十。"),
        ("请把声音设为20。", VOLUME, 20, "🙂 音量已调到二十。"),
        ("静音", VOLUME, 0, "🙂 音量已调到零。"),
        ("音量调到最大", VOLUME, 100, "🙂 音量已调到一百。"),
        ("亮度调到六十", BRIGHTNESS, 60, "🙂 亮度已调到六十。"),
    ],
)
def test_a_value_is_set_at_once_and_confirmed(said: str, tool: str, value: int, answered: str) -> None:
    calls, told = converse(said)
    assert [(call.tool, list(call.arguments.values())) for call in calls] == [(tool, [value])]
    assert told == answered


@pytest.mark.parametrize(
    ("said", "tool", "value"),
    [
        ("turn it up", VOLUME, 80),
        ("Make it louder, please.", VOLUME, 80),
        ("turn the volume down", VOLUME, 60),
        ("quieter", VOLUME, 60),
        ("大声一点", VOLUME, 80),
        ("声音小一点", VOLUME, 60),
        ("声音太大了", VOLUME, 60),
        ("音量调高", VOLUME, 80),
        ("make the screen brighter", BRIGHTNESS, 85),
        ("turn down the brightness", BRIGHTNESS, 65),
        ("屏幕亮一点", BRIGHTNESS, 85),
        ("屏幕暗一点", BRIGHTNESS, 65),
    ],
)
def test_a_step_begins_with_a_look_at_how_the_device_stands(said: str, tool: str, value: int) -> None:
    calls, _ = converse(said)
    assert [call.tool for call in calls] == ["self_get_device_status", tool]
    assert list(calls[1].arguments.values()) == [value]


def test_a_step_beyond_the_end_goes_to_the_end() -> None:
    calls, _ = converse("louder", board=Board(volume=95))
    assert calls[1].arguments == {"volume": 100}


@pytest.mark.parametrize(
    ("said", "answered"),
    [("what is the volume", "🙂 The volume is at 70."), ("现在音量多少", "🙂 现在的音量是七十。")],
)
def test_the_device_is_asked_how_it_stands(said: str, answered: str) -> None:
    calls, told = converse(said)
    assert [call.tool for call in calls] == ["self_get_device_status"]
    assert told == answered


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        ("set the volume to 30", "😳 I cannot change the volume of this device."),
        ("大声一点", "😳 这个设备的音量我调不了。"),
        ("what is the volume", "🤔 This device does not tell me its volume."),
    ],
)
def test_without_a_tool_it_says_that_it_cannot(said: str, answered: str) -> None:
    assert converse(said, tools=()) == ([], answered)


def test_a_step_without_a_way_to_look_asks_for_a_number() -> None:
    calls, told = converse("turn it up", tools=SETTERS)
    assert calls == []
    assert told == "🤔 I cannot see how the volume stands. Please say a number."


def test_a_value_that_the_device_does_not_have_is_not_asked_of_it() -> None:
    assert converse("set the volume to 300") == ([], "🤔 The volume goes from 0 to 100.")


@pytest.mark.parametrize(
    ("result", "answered"),
    [
        ("true", "Volume is now 30."),
        ("false", "could not be changed"),
        ("Error: codec asleep", "could not be changed"),
        (
            "Error: no answer, so it is not known whether it was done",
            "I do not know whether the volume changed",
        ),
    ],
)
def test_what_came_of_it_is_told_as_it_was(result: str, answered: str) -> None:
    call = Call(tool=VOLUME, arguments={"volume": 30})
    messages = [
        Message(role="user", content="volume to 30"),
        Message(role="assistant", content="", calls=(call,)),
        Message(role="tool", content=result),
    ]
    query = parse_query(messages, hint="auto", now=NOW, tools=TOOLS)
    assert next_call(query) is None
    assert answered in answer(query)


def test_a_setter_is_found_by_its_description_where_its_name_says_nothing() -> None:
    schema = {"type": "object", "properties": {"level": {"type": "integer"}}, "required": ["level"]}
    calls, _ = converse(
        "音量调到三十", tools=[Tool(name="set_level", description="设置音量", parameters=schema)]
    )
    assert calls[0] == Call(tool="set_level", arguments={"level": 30})


@pytest.mark.parametrize(
    "said",
    [
        "what time is it",
        "how are you",
        "convert 3 cups to liters",
        "讲个笑话",
        "几点了",
        "what is the volume of a sphere",
    ],
)
def test_other_questions_call_nothing(said: str) -> None:
    assert converse(said)[0] == []

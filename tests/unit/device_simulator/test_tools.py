"""The software device's MCP server keeps the firmware's rules."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.device_simulator.tools import Board, DeviceMcpServer, describe

SET_VOLUME = "self.audio_speaker.set_volume"


def ask(server: DeviceMcpServer, method: str, **params: Any) -> Any:
    answer = server.answer({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    assert answer is not None
    assert answer["id"] == 7
    return answer.get("result") or answer["error"]


def test_it_says_what_it_speaks() -> None:
    assert ask(DeviceMcpServer([]), "initialize")["protocolVersion"] == "2024-11-05"


def test_a_tool_does_what_it_says() -> None:
    board = Board()
    server = DeviceMcpServer(board.tools())
    assert ask(server, "tools/call", name=SET_VOLUME, arguments={"volume": 30}) == {
        "content": [{"type": "text", "text": "true"}],
        "isError": False,
    }
    assert board.volume == 30
    assert '"volume": 30' in ask(server, "tools/call", name="self.get_device_status")["content"][0]["text"]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (SET_VOLUME, {"volume": "30"}, "Missing valid argument: volume"),
        (SET_VOLUME, {"volume": True}, "Missing valid argument: volume"),
        (SET_VOLUME, {}, "Missing valid argument: volume"),
        (SET_VOLUME, {"volume": 101}, "Value exceeds maximum allowed: 100"),
        (SET_VOLUME, {"volume": -1}, "Value is below minimum allowed: 0"),
        (SET_VOLUME, [], "Invalid arguments"),
        ("self.rocket.launch", {}, "Unknown tool: self.rocket.launch"),
    ],
)
def test_arguments_are_typed_strictly_and_an_error_has_no_code(
    name: str, arguments: Any, message: str
) -> None:
    board = Board()
    assert ask(DeviceMcpServer(board.tools()), "tools/call", name=name, arguments=arguments) == {
        "message": message
    }
    assert board.calls == []


def test_the_list_comes_in_pages_that_go_on_with_the_name_of_the_next_tool() -> None:
    server = DeviceMcpServer(Board().tools(), page_characters=500)
    names, cursor = [], ""
    while True:
        page = ask(server, "tools/list", cursor=cursor)
        names += [tool["name"] for tool in page["tools"]]
        cursor = page.get("nextCursor", "")
        if not cursor:
            break
        assert cursor not in names
    assert names == [tool.name for tool in Board().tools()]


def test_a_tool_that_fits_on_no_page_is_an_error() -> None:
    server = DeviceMcpServer(Board().tools(), page_characters=50)
    assert "payload size limit" in ask(server, "tools/list")["message"]


@pytest.mark.parametrize(
    "payload",
    [
        *(None, [], "text", {}),
        {"jsonrpc": "1.0", "id": 1, "method": "initialize"},
        {"jsonrpc": "2.0", "id": "1", "method": "initialize"},
        {"jsonrpc": "2.0", "id": 1, "method": 3},
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": []},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ],
)
def test_what_the_firmware_passes_over_has_no_answer(payload: Any) -> None:
    assert DeviceMcpServer(Board().tools()).answer(payload) is None


def test_an_unknown_method_is_an_error() -> None:
    assert ask(DeviceMcpServer([]), "resources/list") == {"message": "Method not implemented: resources/list"}


def test_a_call_is_told_in_one_line() -> None:
    params = {"name": SET_VOLUME, "arguments": {"volume": 30}}
    assert describe(params, {"result": {}}) == f'{SET_VOLUME} {{"volume": 30}}'
    assert describe(params, {"error": {"message": "no"}}) == f'{SET_VOLUME} {{"volume": 30}}: no'

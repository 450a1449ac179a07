"""The MCP server of a device: JSON-RPC as the firmware answers it, typed strictly, its list in pages.

Source: xiaozhi-esp32, main/mcp_server.cc: a page is a tool short of 8 000 characters, `nextCursor` is the
name of the tool that follows, an error has a message and no code, ids are numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

PROTOCOL_VERSION: Final = "2024-11-05"
PAGE_CHARACTERS: Final = 8_000
# What the firmware keeps free on each page.
_PAGE_RESERVE: Final = 30

Value: TypeAlias = bool | int | str
_TYPES: Final[Mapping[str, type]] = {"boolean": bool, "integer": int, "string": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a tool; without a default it has to be given.

    Attributes:
        kind: "boolean", "integer" or "string"; the firmware knows no other.
    """

    kind: str
    low: int | None = None
    high: int | None = None

    def as_schema(self) -> dict[str, Any]:
        """Return the argument's part of the schema."""
        bounds = {"minimum": self.low, "maximum": self.high}
        return {"type": self.kind, **{name: value for name, value in bounds.items() if value is not None}}

    def accepts(self, value: object) -> bool:
        """Return whether a value is of exactly this type."""
        return type(value) is _TYPES[self.kind]

    def problem(self, value: Any) -> str:
        """Return why a value is out of bounds, or nothing."""
        if self.low is not None and value < self.low:
            return f"Value is below minimum allowed: {self.low}"
        if self.high is not None and value > self.high:
            return f"Value exceeds maximum allowed: {self.high}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTool:
    """Something that the device can do; `act` gets the arguments and returns what is reported."""

    name: str
    description: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    act: Callable[[Mapping[str, Value]], str]

    def as_listed(self) -> dict[str, Any]:
        """Return the tool as the list shows it."""
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {name: argument.as_schema() for name, argument in self.arguments.items()},
        }
        if self.arguments:
            schema["required"] = list(self.arguments)
        return {"name": self.name, "description": self.description, "inputSchema": schema}


@dataclass(slots=True, kw_only=True)
class Board:
    """What a device in software has to turn: a speaker and a screen.

    Attributes:
        calls: what was done, oldest first.
    """

    volume: int = 70
    brightness: int = 75
    theme: str = "light"
    calls: list[tuple[str, Mapping[str, Value]]] = field(default_factory=list)

    def tools(self) -> list[DeviceTool]:
        """Return the tools that stock firmware has for these, in its order."""
        percent = Argument(kind="integer", low=0, high=100)
        return [
            DeviceTool(
                name="self.get_device_status",
                description="Tells the present state of the device: volume of the speaker, screen, network. "
                "Call it to answer questions about the state, and before a change relative to it.",
                act=self._status,
            ),
            DeviceTool(
                name="self.audio_speaker.set_volume",
                description="Sets the volume of the audio speaker. "
                "Where the present volume matters, call self.get_device_status first.",
                arguments={"volume": percent},
                act=lambda given: self._set("self.audio_speaker.set_volume", "volume", given),
            ),
            DeviceTool(
                name="self.screen.set_brightness",
                description="Sets the brightness of the screen.",
                arguments={"brightness": percent},
                act=lambda given: self._set("self.screen.set_brightness", "brightness", given),
            ),
            DeviceTool(
                name="self.screen.set_theme",
                description="Sets the theme of the screen, which is light or dark.",
                arguments={"theme": Argument(kind="string")},
                act=self._set_theme,
            ),
        ]

    def _set(self, tool: str, what: str, given: Mapping[str, Value]) -> str:
        setattr(self, what, given[what])
        self.calls.append((tool, given))
        return "true"

    def _set_theme(self, given: Mapping[str, Value]) -> str:
        if given["theme"] not in ("light", "dark"):
            return "false"
        return self._set("self.screen.set_theme", "theme", given)

    def _status(self, given: Mapping[str, Value]) -> str:
        self.calls.append(("self.get_device_status", given))
        return json.dumps(
            {
                "audio_speaker": {"volume": self.volume},
                "screen": {"brightness": self.brightness, "theme": self.theme},
                "network": {"type": "wifi", "ssid": "software", "signal": "strong"},
            }
        )


class DeviceMcpServer:
    """Answers the payloads of `mcp` messages."""

    def __init__(self, tools: list[DeviceTool], *, page_characters: int = PAGE_CHARACTERS) -> None:
        """Serve these tools; smaller pages make more of them."""
        self._tools = tools
        self._page_characters = page_characters

    def answer(self, payload: Any) -> dict[str, Any] | None:
        """Return the answer; None for what the firmware passes over: notices, and what it cannot read."""
        if not isinstance(payload, dict) or payload.get("jsonrpc") != "2.0":
            return None
        method, params, number = payload.get("method"), payload.get("params"), payload.get("id")
        if not isinstance(method, str) or method.startswith("notifications"):
            return None
        if not isinstance(params, dict | None) or not isinstance(number, (int, float)):
            return None
        body = self._body(method, params or {})
        return {"jsonrpc": "2.0", "id": int(number), **body}

    def _body(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        match method:
            case "initialize":
                info = {"name": "software-device", "version": "2.4.0"}
                capabilities: dict[str, Any] = {"tools": {}}
                return _result(
                    {"protocolVersion": PROTOCOL_VERSION, "capabilities": capabilities, "serverInfo": info}
                )
            case "tools/list":
                cursor = params.get("cursor")
                return self._page(cursor if isinstance(cursor, str) else "")
            case "tools/call":
                return self._call(params.get("name"), params.get("arguments"))
        return _error(f"Method not implemented: {method}")

    def _page(self, cursor: str) -> dict[str, Any]:
        names = [tool.name for tool in self._tools]
        first = names.index(cursor) if cursor in names else 0 if not cursor else len(names)
        listed: list[dict[str, Any]] = []
        size = 0
        for tool in self._tools[first:]:
            shown = tool.as_listed()
            size += len(json.dumps(shown, ensure_ascii=False)) + 1
            if size + _PAGE_RESERVE > self._page_characters:
                if not listed:
                    return _error(f"Failed to add tool {tool.name} because of payload size limit")
                return _result({"tools": listed, "nextCursor": tool.name})
            listed.append(shown)
        return _result({"tools": listed})

    def _call(self, name: Any, given: Any) -> dict[str, Any]:
        tool = next((each for each in self._tools if each.name == name), None)
        if tool is None:
            return _error(f"Unknown tool: {name}")
        if not isinstance(given, dict | None):
            return _error("Invalid arguments")
        values: dict[str, Value] = {}
        for argument, wanted in tool.arguments.items():
            value: Any = (given or {}).get(argument)
            if not wanted.accepts(value):
                return _error(f"Missing valid argument: {argument}")
            problem = wanted.problem(value)
            if problem:
                return _error(problem)
            values[argument] = value
        return _result({"content": [{"type": "text", "text": tool.act(values)}], "isError": False})


def describe(params: Any, answer: Mapping[str, Any]) -> str:
    """Return a call and what came of it in one line for a person."""
    called = params if isinstance(params, dict) else {}
    given = json.dumps(called.get("arguments") or {}, ensure_ascii=False)
    outcome = "error" in answer and f": {answer['error']['message']}"
    return f"{called.get('name')} {given}{outcome or ''}"


def _result(result: dict[str, Any]) -> dict[str, Any]:
    return {"result": result}


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message}}

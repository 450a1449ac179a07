"""Tools in the OpenAI dialect: how they are offered, and how calls are put together from a stream.

Source: OpenAI API reference, chat/completions, `tools` and `choices[].delta.tool_calls`.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.catalogue.model import Instance
from dispatcher.conversation.history import Message
from dispatcher.conversation.tools import Tool, ToolCall
from dispatcher.errors import InstanceFailed

MAX_CALLS: Final = 16
MAX_ARGUMENT_CHARACTERS: Final = 32_000
_SHOWN_CHARACTERS: Final = 200


def tool_body(tool: Tool) -> dict[str, Any]:
    """Return a tool as a request offers it."""
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def message_body(message: Message) -> dict[str, Any]:
    """Return a message as a request carries it."""
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    return body


@dataclass(slots=True)
class _Begun:
    """A call of which more may come."""

    id: str = ""
    name: str = ""
    arguments: str = ""


class CallJoiner:
    """Puts the calls of one reply together: each chunk brings a piece of one of them."""

    def __init__(self, instance: Instance) -> None:
        """Begin with no call; `instance` answers for what it sends."""
        self._instance = instance
        self._begun: list[_Begun] = []
        self._at: dict[int, _Begun] = {}

    def feed(self, pieces: Any) -> None:
        """Take in the `tool_calls` of a chunk.

        Raises:
            InstanceFailed: they have another form, or are too many or too long.
        """
        if pieces is None:
            return
        try:
            for place, piece in enumerate(pieces):
                self._add(piece, place)
        except (TypeError, AttributeError, KeyError) as error:
            raise self._failed("tool_calls was", pieces) from error

    def finish(self) -> list[ToolCall]:
        """Return the calls, whole, in their order.

        Raises:
            InstanceFailed: the arguments of one are not a JSON object.
        """
        return [self._whole(begun) for begun in self._begun]

    def _add(self, piece: dict[str, Any], place: int) -> None:
        index = piece.get("index")
        begun = self._of(index if isinstance(index, int) else place, str(piece.get("id") or ""))
        function = piece.get("function") or {}
        begun.name = begun.name or str(function.get("name") or "")
        arguments = function.get("arguments") or ""
        # A few servers send the object itself.
        begun.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments)
        if len(self._begun) > MAX_CALLS or len(begun.arguments) > MAX_ARGUMENT_CHARACTERS:
            raise self._failed("too much in tool_calls, the last was", piece)

    def _of(self, index: int, call_id: str) -> _Begun:
        """Return the call that a piece belongs to; some servers number every call 0, with other ids."""
        begun = self._at.get(index)
        if begun is None or (call_id and begun.id and call_id != begun.id):
            begun = self._at[index] = _Begun()
            self._begun.append(begun)
        begun.id = begun.id or call_id
        return begun

    def _whole(self, begun: _Begun) -> ToolCall:
        arguments = begun.arguments.strip() or "{}"
        try:
            parsed = json.loads(arguments)
        except (ValueError, RecursionError) as error:
            raise self._failed(f"arguments of {begun.name!r} are not JSON:", arguments) from error
        if not isinstance(parsed, dict) or not begun.name:
            raise self._failed(f"call of {begun.name!r} had the arguments", arguments)
        return ToolCall(id=begun.id or uuid.uuid4().hex, name=begun.name, arguments=arguments)

    def _failed(self, what: str, shown: Any) -> InstanceFailed:
        return InstanceFailed(self._instance.name, f"{what} {shown!r:.{_SHOWN_CHARACTERS}}")

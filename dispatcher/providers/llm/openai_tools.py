"""Tools in the OpenAI dialect: how they are offered, and how calls are put together from a stream.

Source: OpenAI API reference, chat/completions, `tools` and `choices[].delta.tool_calls`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dispatcher.bounded_json import read_json
from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.history import Message
from dispatcher.errors import InstanceFailed
from dispatcher.tools.model import Tool, ToolCall

MAX_CALLS: Final = 16
MAX_ARGUMENT_CHARACTERS: Final = 32_000
_SHOWN_CHARACTERS: Final = 200
_INDEX: Final = re.compile(r"\d{1,9}", re.ASCII)
_CALL_FIELDS: Final = frozenset({"index", "id", "type", "function"})
_FUNCTION_FIELDS: Final = frozenset({"name", "arguments", "parameters"})


def tool_body(tool: Tool) -> dict[str, Any]:
    """Return a tool as a request offers it."""
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def message_body(message: Message, *, with_extras: bool = True) -> dict[str, Any]:
    """Return a message as a request carries it.

    Args:
        message: of the dialogue.
        with_extras: send back what only some services know: reasoning, and the extra fields of calls.
    """
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        body["tool_calls"] = [
            _call_body(call, call.extra if with_extras else {}) for call in message.tool_calls
        ]
        if message.reasoning and with_extras:
            body["reasoning_content"] = message.reasoning
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    return body


def has_extras(messages: Sequence[Message]) -> bool:
    """Return whether some message has what only some services know."""
    return any(message.reasoning or any(call.extra for call in message.tool_calls) for message in messages)


def _call_body(call: ToolCall, extra: Mapping[str, Any]) -> dict[str, Any]:
    function = {**extra.get("function", {}), "name": call.name, "arguments": call.arguments}
    return {**extra, "id": call.id, "type": "function", "function": function}


@dataclass(slots=True)
class _Begun:
    """A call of which more may come."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether its arguments need no more."""
        return _parsed(self.arguments) is not None


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
            for piece in [pieces] if isinstance(pieces, dict) else pieces:
                self._add(piece)
        except (TypeError, AttributeError, KeyError) as error:
            raise self._failed("tool_calls was", pieces) from error

    def finish(self) -> list[ToolCall]:
        """Return the calls, whole, in their order.

        Raises:
            InstanceFailed: one has no name.
        """
        return [self._whole(begun) for begun in self._begun]

    def _add(self, piece: dict[str, Any]) -> None:
        # A few servers leave the wrapping out.
        function = piece.get("function") or {key: piece[key] for key in _FUNCTION_FIELDS if key in piece}
        name = str(function.get("name") or "").strip()
        arguments = function.get("arguments") or ""
        begun = self._of(piece, name, has_arguments=bool(arguments))
        begun.name = begun.name or name
        # A few servers send the object itself.
        more = arguments if isinstance(arguments, str) else json.dumps(arguments)
        # `{}` before the pieces, or the whole call once more at the end: what comes now is the call.
        goes_on = not (begun.is_whole and more.lstrip().startswith("{"))
        begun.arguments = begun.arguments + more if goes_on else more
        extra = {key: value for key, value in piece.items() if key not in _CALL_FIELDS | _FUNCTION_FIELDS}
        _merge(begun.extra, extra)
        extra = {key: value for key, value in function.items() if key not in _FUNCTION_FIELDS}
        _merge(begun.extra, {"function": extra} if extra else {})
        if len(self._begun) > MAX_CALLS or len(begun.arguments) > MAX_ARGUMENT_CHARACTERS:
            raise self._failed("too much in tool_calls, the last was", piece)

    def _of(self, piece: dict[str, Any], name: str, *, has_arguments: bool) -> _Begun:
        """Return the call that a piece belongs to.

        Some servers number every call 0, with other ids; some give no number, or no id; some repeat the
        name in every piece, or make up a new id for each.
        """
        index, call_id = _index(piece.get("index")), str(piece.get("id") or "")
        begun = next((each for each in self._begun if call_id and each.id == call_id), None)
        if begun is None:
            last = self._begun[-1] if self._begun else None
            begun = last if index is None else self._at.get(index)
        if begun is None or _begins_anew(begun, call_id, name, has_arguments=has_arguments):
            begun = _Begun()
            self._begun.append(begun)
        if index is not None:
            self._at[index] = begun
        begun.id = begun.id or call_id
        return begun

    def _whole(self, begun: _Begun) -> ToolCall:
        if not begun.name:
            raise self._failed("call without a name, its arguments were", begun.arguments)
        parsed = _parsed(begun.arguments.strip() or "{}")
        call_id = begun.id or uuid.uuid4().hex
        if parsed is None:
            problem = f"not done: the arguments are no JSON object: {begun.arguments!r:.{_SHOWN_CHARACTERS}}"
            return ToolCall(id=call_id, name=begun.name, arguments="{}", problem=problem, extra=begun.extra)
        arguments = (
            begun.arguments.strip() if begun.arguments.lstrip().startswith("{") else json.dumps(parsed)
        )
        return ToolCall(id=call_id, name=begun.name, arguments=arguments, extra=begun.extra)

    def _failed(self, what: str, shown: Any) -> InstanceFailed:
        return InstanceFailed(self._instance.name, f"{what} {shown!r:.{_SHOWN_CHARACTERS}}")


def _begins_anew(begun: _Begun, call_id: str, name: str, *, has_arguments: bool) -> bool:
    """Return whether a piece that could go on a call begins the next one."""
    if call_id and begun.id:
        return call_id != begun.id and (bool(name) or begun.is_whole)
    if not name or not begun.name:
        return False
    return name != begun.name or (begun.is_whole and has_arguments)


def _index(value: Any) -> int | None:
    if isinstance(value, str) and _INDEX.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _parsed(arguments: str) -> dict[str, Any] | None:
    """Return the object that arguments are: also `null` for none, and an object inside a JSON text."""
    try:
        found = read_json(arguments)
        found = read_json(found) if isinstance(found, str) else found
    except ValueError:
        return None
    if found is None:
        return {}
    return found if isinstance(found, dict) else None


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add fields; of mappings, theirs."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            into[key] = {**into[key], **value}
        elif value is not None:
            into[key] = value

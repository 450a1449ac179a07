"""Chat dialect on the wire: the models of a request, and the events and the whole of an answer."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, field_validator

from dispatcher.bundled.engines import Call, Language, Message, Tool

KEEP_ALIVE: Final = b": keep-alive\n\n"
DONE: Final = b"data: [DONE]\n\n"


class CalledFunction(BaseModel):
    """A call of a tool: its arguments come as text that should be a JSON object."""

    name: str
    arguments: str = "{}"

    def as_call(self) -> Call:
        """Return the call; arguments that are no object count as none."""
        try:
            arguments = json.loads(self.arguments)
        except ValueError:
            arguments = {}
        return Call(tool=self.name, arguments=arguments if isinstance(arguments, dict) else {})


class ToolCallEntry(BaseModel):
    """One entry of `tool_calls`."""

    function: CalledFunction


class OfferedFunction(BaseModel):
    """A tool that is offered."""

    name: str = Field(min_length=1, max_length=64)
    description: str = ""
    parameters: dict[str, Any] = {}

    def as_tool(self) -> Tool:
        """Return the tool in the form of the engines."""
        return Tool(name=self.name, description=self.description, parameters=self.parameters)


class ToolEntry(BaseModel):
    """One entry of `tools`; functions are the only kind."""

    type: Literal["function"] = "function"
    function: OfferedFunction


class ChatMessage(BaseModel):
    """One message; parts of a message that are not text are left out."""

    role: str
    content: str = ""
    tool_calls: list[ToolCallEntry] | None = None

    def as_message(self) -> Message:
        """Return the message in the form of the engines."""
        calls = tuple(each.function.as_call() for each in self.tool_calls or ())
        return Message(role=self.role, content=self.content, calls=calls)

    @field_validator("content", mode="before")
    @classmethod
    def plain_text(cls, value: Any) -> Any:
        """Return the text of a message in parts, and an empty one for a message without content."""
        if isinstance(value, list):
            return " ".join(str(part.get("text", "")) for part in value if isinstance(part, dict)).strip()
        return "" if value is None else value


class StreamOptions(BaseModel):
    """Extra events of a stream."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """Fields of a request that are read; sampling parameters mean nothing to the engines here."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=1000)
    tools: list[ToolEntry] | None = Field(default=None, max_length=128)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    language: Language = "auto"

    @property
    def limit(self) -> int | None:
        """Most tokens to answer with; None for no limit."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the number of tokens."""
        return self.stream_options is not None and self.stream_options.include_usage


class Completion:
    """One answer as the dialect writes it; counts its tokens."""

    def __init__(self, *, model: str, prompt_words: int) -> None:
        """Begin an answer that has no token yet."""
        self.finish_reason = "stop"
        self._tokens = 0
        self._calls = 0
        self._prompt_words = prompt_words
        self._facts = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
        # Only the token differs from event to event, so only the token is encoded for each.
        head = _compact({**self._facts, "object": "chat.completion.chunk"})[:-1]
        self._before_token = f'data: {head},"choices":[{{"index":0,"delta":{{"content":'.encode()

    def token_event(self, token: str) -> bytes:
        """Return the event of one token, or a comment where there is no text yet."""
        if not token:
            return KEEP_ALIVE
        self._tokens += 1
        return self._before_token + json.dumps(token).encode() + b'},"finish_reason":null}]}\n\n'

    def call_event(self, call: Call) -> bytes:
        """Return the event of a call, which ends the answer."""
        choice = {"index": 0, "delta": {"tool_calls": [self._call_entry(call)]}, "finish_reason": None}
        return _event({**self._facts, "object": "chat.completion.chunk", "choices": [choice]})

    def _call_entry(self, call: Call) -> dict[str, Any]:
        """Return a call in the dialect's form, the same in a stream and in a whole answer."""
        self.finish_reason = "tool_calls"
        self._calls += 1
        function = {"name": call.tool, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
        name = f"call_{uuid.uuid4().hex[:24]}"
        return {"index": self._calls - 1, "id": name, "type": "function", "function": function}

    def last_events(self, *, with_usage: bool) -> bytes:
        """Return the events that end a stream."""
        kind = {**self._facts, "object": "chat.completion.chunk"}
        choice = {"index": 0, "delta": {}, "finish_reason": self.finish_reason}
        events = _event({**kind, "choices": [choice]})
        if with_usage:
            events += _event({**kind, "choices": [], "usage": self._usage()})
        return events + DONE

    def whole(self, pieces: Sequence[str | Call]) -> dict[str, Any]:
        """Return the answer in one piece."""
        tokens = [piece for piece in pieces if isinstance(piece, str)]
        calls = [self._call_entry(piece) for piece in pieces if isinstance(piece, Call)]
        self._tokens = len(tokens)
        message: dict[str, Any] = {"role": "assistant", "content": "".join(tokens)}
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        return {**self._facts, "object": "chat.completion", "choices": [choice], "usage": self._usage()}

    def _usage(self) -> dict[str, int]:
        # Words stand for the tokens of the prompt: there is no tokenizer here.
        return {
            "prompt_tokens": self._prompt_words,
            "completion_tokens": self._tokens,
            "total_tokens": self._prompt_words + self._tokens,
        }


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + _compact(chunk).encode() + b"\n\n"


def _compact(chunk: dict[str, Any]) -> str:
    return json.dumps(chunk, separators=(",", ":"))

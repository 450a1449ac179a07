"""Ollama's native API: chat as a stream of JSON lines, how long a model stays loaded, and whether it is.

Source: Ollama, docs/api.md: chat, load a model, list running models.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from dispatcher.catalogue.model import Instance
from dispatcher.conversation.history import Message
from dispatcher.conversation.tools import ChatPiece, Tool, ToolCall
from dispatcher.errors import InstanceFailed
from dispatcher.providers.base import Reported
from dispatcher.providers.http import (
    SHOWN_BYTES,
    as_object,
    bearer_headers,
    let_end,
    lines,
    raise_for_status,
    read_bounded,
    wire_errors,
)
from dispatcher.providers.ollama_loading import Loading
from dispatcher.providers.openai_tools import tool_body

CHECK_TIMEOUT_S: Final = 5.0
# Ollama's own five minutes would make the first turn of a quiet afternoon wait for the model.
DEFAULT_KEEP_ALIVE_S: Final = 1800.0
LATEST: Final = ":latest"


class Ollama:
    """Calls instances that speak Ollama's own dialect."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Use the session of the running loop; the caller closes it."""
        self._session = session
        self._loading = Loading(self._load)

    async def chat(
        self, instance: Instance, messages: Sequence[Message], tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[ChatPiece, None]:
        """Yield the reply's text as its lines come, and each call of a tool, which comes whole."""
        body: dict[str, Any] = {
            **_model(instance),
            "messages": [_message_body(message, messages) for message in messages],
            "stream": True,
            # What a model thinks is not spoken, and whoever waits for it hears nothing.
            "think": False,
        }
        if tools:
            body["tools"] = [tool_body(tool) for tool in tools]
        async with self._ask(instance, "POST", "/api/chat", json=body) as response:
            async for line in lines(instance, response):
                chunk = _chunk(instance, line)
                for piece in _pieces(instance, chunk, line):
                    yield piece
                if chunk.get("done") is True:
                    await let_end(response)
                    return
        raise InstanceFailed(instance.name, "the stream ended before it said that it is done")

    async def check(self, instance: Instance) -> Reported:
        """Return nothing, once the model is in memory; else it is loaded, and the check fails till then.

        A model that Ollama takes out of memory for another one is loaded again at most every ten minutes; in
        between the instance counts as well, or two models of one server would push each other out for ever.
        """
        async with wire_errors(instance), asyncio.timeout(CHECK_TIMEOUT_S):
            async with self._ask(instance, "GET", "/api/ps") as response:
                running = as_object(instance, await read_bounded(instance, response)).get("models")
            if _is_among(instance, running):
                self._loading.note_loaded(instance)
            else:
                await self._loading.ensure(instance)
        return Reported()

    async def close(self) -> None:
        """Stop waiting for models that are being loaded."""
        await self._loading.close()

    async def _load(self, instance: Instance) -> None:
        """Return when the model is in memory."""
        async with self._ask(instance, "POST", "/api/generate", json=_model(instance)) as response:
            async for line in lines(instance, response):
                _chunk(instance, line)

    @asynccontextmanager
    async def _ask(
        self, instance: Instance, method: str, path: str, **body: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        # What asks an OpenAI-style server for its calls stands in the way here.
        url = instance.endpoint.removesuffix("/v1").removesuffix("/api") + path
        headers = bearer_headers(instance)
        async with (
            wire_errors(instance),
            self._session.request(method, url, headers=headers, **body) as response,
        ):
            await raise_for_status(instance, response)
            yield response


def _model(instance: Instance) -> dict[str, Any]:
    keep_alive_s = DEFAULT_KEEP_ALIVE_S if instance.keep_alive_s is None else instance.keep_alive_s
    return {"model": instance.model, "keep_alive": f"{keep_alive_s:.0f}s"}


def _message_body(message: Message, dialogue: Sequence[Message]) -> dict[str, Any]:
    """Return a message as a request carries it: arguments as an object, a tool's answer under its name."""
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "function": {"name": call.name, "arguments": json.loads(call.arguments or "{}")}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        calls = (call for other in dialogue for call in other.tool_calls)
        names = (call.name for call in calls if call.id == message.tool_call_id)
        body |= {"tool_call_id": message.tool_call_id, "tool_name": next(names, "")}
    return body


def _chunk(instance: Instance, line: bytes) -> dict[str, Any]:
    chunk = as_object(instance, line)
    if chunk.get("error"):
        raise InstanceFailed(instance.name, f"the stream said {chunk['error']!r:.{SHOWN_BYTES}}")
    return chunk


def _pieces(instance: Instance, chunk: dict[str, Any], line: bytes) -> list[ChatPiece]:
    """Return the text of a chunk and the calls in it; the last chunk holds none."""
    try:
        message = chunk.get("message") or {}
        text = message.get("content") or ""
        calls = [_call(call) for call in message.get("tool_calls") or ()]
    except (KeyError, TypeError, AttributeError) as error:
        raise InstanceFailed(instance.name, f"chunk was {line[:SHOWN_BYTES]!r}") from error
    if not isinstance(text, str):
        raise InstanceFailed(instance.name, f"content was {text!r:.{SHOWN_BYTES}}, expected a string")
    return [*([text] if text else []), *calls]


def _call(call: dict[str, Any]) -> ToolCall:
    function = call["function"]
    name, arguments = function["name"], function.get("arguments") or {}
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise TypeError("a call is a name with an object")
    call_id = str(call.get("id") or "") or uuid.uuid4().hex
    return ToolCall(id=call_id, name=name, arguments=json.dumps(arguments, ensure_ascii=False))


def _is_among(instance: Instance, running: object) -> bool:
    """Return whether the model is in the list; a name without a tag means the latest."""
    if not isinstance(running, list):
        raise InstanceFailed(instance.name, f"models was {running!r:.{SHOWN_BYTES}}, expected a list")
    names = {str(each.get("model") or each.get("name")) for each in running if isinstance(each, dict)}
    return f"{instance.model}".removesuffix(LATEST) in {name.removesuffix(LATEST) for name in names}

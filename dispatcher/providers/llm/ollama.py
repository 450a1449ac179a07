"""Ollama's native API: chat as a stream of JSON lines, how long a model stays loaded, and whether it is.

Source: Ollama, docs/api.md: chat, load a model, list running models.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Final

import aiohttp

from dispatcher.catalogue.model import DEFAULT_MAX_TOKENS, Instance
from dispatcher.dialogue.history import Message
from dispatcher.errors import InstanceFailed
from dispatcher.providers.http import (
    CHECK_TIMEOUT_S,
    SHOWN_BYTES,
    as_object,
    lines,
    read_bounded,
    request,
    wire_errors,
)
from dispatcher.providers.llm.negotiated_reply import NegotiatedReply
from dispatcher.providers.llm.ollama_loading import ModelLoading
from dispatcher.providers.llm.openai_tools import tool_body
from dispatcher.providers.llm.reply_reader import DeltaReader, read_reply
from dispatcher.providers.llm.untagged_thinking import UntaggedThinking
from dispatcher.providers.model_lists import LATEST, names_in
from dispatcher.providers.negotiation import (
    Negotiation,
    Parameter,
    RefusedParameters,
    parameter,
)
from dispatcher.providers.protocols import LoadReport
from dispatcher.providers.refusals import error_in_answer
from dispatcher.tools.model import ChatPiece, Tool

# Ollama's own five minutes would make the first turn of a quiet afternoon wait for the model.
DEFAULT_KEEP_ALIVE_S: Final = 1800.0
# Option that bounds the length of a reply.
NUM_PREDICT: Final = "num_predict"


class Ollama:
    """Calls instances that speak Ollama's own dialect."""

    def __init__(self, session: aiohttp.ClientSession, refused: RefusedParameters | None = None) -> None:
        """Use the session of the running loop, which the caller closes, and what instances refuse."""
        self._session = session
        self._refused = refused or RefusedParameters()
        self._untagged = UntaggedThinking(self._refused)
        self._loading = ModelLoading(self._load)

    async def chat(
        self, instance: Instance, messages: Sequence[Message], tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[ChatPiece, None]:
        """Yield the reply's text as its lines come, and each call of a tool, which comes whole."""
        negotiation = Negotiation(self._refused, instance, _parameters(instance))

        async def request_reply(reader: DeltaReader) -> AsyncGenerator[ChatPiece, None]:
            body = _body(instance, messages, tools, negotiation)
            async with (
                self._request(instance, "POST", "/api/chat", json=body) as response,
                aclosing(read_reply(instance, response, reader)) as pieces,
            ):
                async for piece in pieces:
                    yield piece
            if not reader.end and not reader.is_done:
                raise InstanceFailed(instance.name, "the stream ended before it said that it is done")

        reply = NegotiatedReply(
            negotiation=negotiation,
            request=request_reply,
            tools=tools,
            untagged=self._untagged,
            length_names=(NUM_PREDICT,),
        )
        async with aclosing(reply.pieces()) as pieces:
            async for piece in pieces:
                yield piece

    async def check(self, instance: Instance) -> LoadReport:
        """Return nothing, once the model is in memory; else it is loaded, and the check fails till then.

        A model that Ollama takes out of memory for another one is loaded again at most every ten minutes; in
        between the instance counts as well, or two models of one server would push each other out for ever.
        """
        async with wire_errors(instance), asyncio.timeout(CHECK_TIMEOUT_S):
            async with self._request(instance, "GET", "/api/ps") as response:
                running = as_object(instance, await read_bounded(instance, response)).get("models")
            if _is_among(instance, running):
                self._loading.mark_loaded(instance)
            else:
                await self._loading.ensure(instance)
        return LoadReport()

    async def models(self, instance: Instance) -> Sequence[str] | None:
        """Return the names of the models that were pulled."""
        async with asyncio.timeout(CHECK_TIMEOUT_S), self._request(instance, "GET", "/api/tags") as response:
            return names_in(await read_bounded(instance, response))

    async def close(self) -> None:
        """Stop waiting for models that are being loaded."""
        await self._loading.close()

    async def _load(self, instance: Instance) -> None:
        """Return when the model is in memory."""
        # With another context length the first chat would load it anew.
        num_ctx = _options(instance).get("num_ctx")
        body = _model(instance) | ({"options": {"num_ctx": num_ctx}} if num_ctx else {})
        async with self._request(instance, "POST", "/api/generate", json=body) as response:
            async for line in lines(instance, response):
                _chunk(instance, line)

    def _request(
        self, instance: Instance, method: str, path: str, **body: Any
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        # What leads to an OpenAI-style server's calls stands in the way here.
        url = instance.endpoint.removesuffix("/v1").removesuffix("/api") + path
        return request(self._session, instance, method, url, **body)


def _model(instance: Instance) -> dict[str, Any]:
    keep_alive_s = DEFAULT_KEEP_ALIVE_S if instance.keep_alive_s is None else instance.keep_alive_s
    return {"model": instance.model, "keep_alive": f"{keep_alive_s:.0f}s"}


def _parameters(instance: Instance) -> list[list[Parameter]]:
    """Return what a chat request carries beside the dialogue, where the model takes it."""
    optional = [[Parameter(label=NUM_PREDICT, fields={}, pattern=re.compile(NUM_PREDICT))]]
    if instance.thinking != "auto":
        # While a model thinks, nothing of its reply comes.
        optional.append([parameter("think", value=False, words=r"\bthink(ing)?\b")])
    return optional


def _options(instance: Instance) -> dict[str, Any]:
    """Return the options of the line, those of its `extra_body` over its own keys."""
    own = {"temperature": instance.temperature, "num_ctx": instance.num_ctx}
    extra = instance.extra_body.get("options")
    given = {key: value for key, value in own.items() if value is not None}
    return {**given, **extra} if isinstance(extra, dict) else given


def _body(
    instance: Instance, messages: Sequence[Message], tools: Sequence[Tool], negotiation: Negotiation
) -> dict[str, Any]:
    bound = {NUM_PREDICT: instance.max_tokens or DEFAULT_MAX_TOKENS} if negotiation.sends(NUM_PREDICT) else {}
    extra = {key: value for key, value in instance.extra_body.items() if key != "options"}
    body: dict[str, Any] = {
        **_model(instance),
        **negotiation.fields,
        **extra,
        "options": {**bound, **_options(instance)},
        "stream": True,
        "messages": [_message_body(message, messages) for message in messages],
    }
    if tools:
        body["tools"] = [tool_body(tool) for tool in tools]
    return body


def _message_body(message: Message, dialogue: Sequence[Message]) -> dict[str, Any]:
    """Return a message as a request carries it: arguments as an object, a tool's answer under its name."""
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        body["tool_calls"] = [
            {
                **call.extra,
                "id": call.id,
                "function": {"name": call.name, "arguments": json.loads(call.arguments or "{}")},
            }
            for call in message.tool_calls
        ]
        if message.reasoning:
            body["thinking"] = message.reasoning
    if message.tool_call_id:
        calls = (call for other in dialogue for call in other.tool_calls)
        names = (call.name for call in calls if call.id == message.tool_call_id)
        body |= {"tool_call_id": message.tool_call_id, "tool_name": next(names, "")}
    return body


def _chunk(instance: Instance, line: bytes) -> None:
    chunk = as_object(instance, line)
    if chunk.get("error"):
        raise error_in_answer(instance, chunk["error"])


def _is_among(instance: Instance, running: object) -> bool:
    """Return whether the model is in the list; a name without a tag means the latest."""
    if not isinstance(running, list):
        raise InstanceFailed(instance.name, f"models was {running!r:.{SHOWN_BYTES}}, expected a list")
    names = {str(each.get("model") or each.get("name")) for each in running if isinstance(each, dict)}
    return f"{instance.model}".removesuffix(LATEST) in {name.removesuffix(LATEST) for name in names}

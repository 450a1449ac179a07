"""Ollama's native API: chat as a stream of JSON lines, how long a model stays loaded, and whether it is.

Source: Ollama, docs/api.md: chat, load a model, list running models.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import aiohttp

from dispatcher.catalogue.model import DEFAULT_MAX_TOKENS, Instance
from dispatcher.dialogue.history import Message
from dispatcher.errors import InstanceError, InstanceFailed
from dispatcher.providers.base import Reported
from dispatcher.providers.http import (
    SHOWN_BYTES,
    as_object,
    bearer_headers,
    lines,
    raise_for_status,
    read_bounded,
    wire_errors,
)
from dispatcher.providers.model_lists import LATEST, names_in
from dispatcher.providers.ollama_loading import Loading
from dispatcher.providers.openai_chat import ReplyReader, read_reply
from dispatcher.providers.openai_tools import tool_body
from dispatcher.providers.optional_parameters import (
    Negotiation,
    Parameter,
    RefusedParameters,
    parameter,
)
from dispatcher.providers.refusals import error_in_answer
from dispatcher.providers.untagged_thinking import UntaggedThinking
from dispatcher.tools.model import ChatPiece, Tool

CHECK_TIMEOUT_S: Final = 5.0
# Ollama's own five minutes would make the first turn of a quiet afternoon wait for the model.
DEFAULT_KEEP_ALIVE_S: Final = 1800.0
# How Ollama calls the length of a reply.
NUM_PREDICT: Final = "num_predict"


class Ollama:
    """Calls instances that speak Ollama's own dialect."""

    def __init__(self, session: aiohttp.ClientSession, refused: RefusedParameters | None = None) -> None:
        """Use the session of the running loop, which the caller closes, and what instances refuse."""
        self._session = session
        self._refused = refused or RefusedParameters()
        self._untagged = UntaggedThinking(self._refused)
        self._loading = Loading(self._load)

    async def chat(
        self, instance: Instance, messages: Sequence[Message], tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[ChatPiece, None]:
        """Yield the reply's text as its lines come, and each call of a tool, which comes whole."""
        talk = Negotiation(self._refused, instance, _chat_parameters(instance))
        while True:
            reader = ReplyReader(instance, tools, starts_thinking=self._untagged.is_expected(instance))
            try:
                async for piece in self._reply(instance, _chat_body(instance, messages, tools, talk), reader):
                    if reader.has_text:
                        talk.accept()
                    yield piece
                # The next reply has room; so has this one, where nothing of it was said.
                is_cut = reader.is_cut_by_reasoning and talk.drop((NUM_PREDICT,), "reasoning took all tokens")
                if not is_cut or reader.has_text:
                    break
            except InstanceError as error:
                if reader.has_text or not talk.drop_named(error):
                    raise
        if not reader.end and not reader.is_done:
            raise InstanceFailed(instance.name, "the stream ended before it said that it is done")
        rest = reader.finish()
        talk.accept()
        self._untagged.learn(instance, reader)
        for piece in rest:
            yield piece

    async def _reply(
        self, instance: Instance, body: dict[str, Any], reader: ReplyReader
    ) -> AsyncGenerator[ChatPiece, None]:
        async with (
            self._ask(instance, "POST", "/api/chat", json=body) as response,
            aclosing(read_reply(instance, response, reader)) as pieces,
        ):
            async for piece in pieces:
                yield piece

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

    async def models(self, instance: Instance) -> Sequence[str] | None:
        """Return the names of the models that were pulled."""
        async with asyncio.timeout(CHECK_TIMEOUT_S), self._ask(instance, "GET", "/api/tags") as response:
            return names_in(await read_bounded(instance, response))

    async def close(self) -> None:
        """Stop waiting for models that are being loaded."""
        await self._loading.close()

    async def _load(self, instance: Instance) -> None:
        """Return when the model is in memory."""
        # With another context length the first chat would load it anew.
        num_ctx = _options(instance).get("num_ctx")
        body = _model(instance) | ({"options": {"num_ctx": num_ctx}} if num_ctx else {})
        async with self._ask(instance, "POST", "/api/generate", json=body) as response:
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


def _chat_parameters(instance: Instance) -> list[list[Parameter]]:
    """Return what a chat request carries beside the dialogue, where the model takes it."""
    optional = [[Parameter(label=NUM_PREDICT, fields={}, words=re.compile(NUM_PREDICT))]]
    if instance.thinking != "auto":
        # Whoever waits for what a model thinks hears nothing.
        optional.append([parameter("think", value=False, words=r"\bthink(ing)?\b")])
    return optional


def _options(instance: Instance) -> dict[str, Any]:
    """Return the options of the line, those of its `extra_body` over its own keys."""
    own = {"temperature": instance.temperature, "num_ctx": instance.num_ctx}
    extra = instance.extra_body.get("options")
    given = {key: value for key, value in own.items() if value is not None}
    return {**given, **extra} if isinstance(extra, dict) else given


def _chat_body(
    instance: Instance, messages: Sequence[Message], tools: Sequence[Tool], talk: Negotiation
) -> dict[str, Any]:
    bound = {NUM_PREDICT: instance.max_tokens or DEFAULT_MAX_TOKENS} if talk.sends(NUM_PREDICT) else {}
    extra = {key: value for key, value in instance.extra_body.items() if key != "options"}
    body: dict[str, Any] = {
        **_model(instance),
        **talk.fields,
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

"""Chat by the OpenAI dialect: completions as server-sent events.

Source: OpenAI API reference, chat/completions.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from dispatcher.catalogue.model import DEFAULT_MAX_TOKENS, Instance
from dispatcher.dialogue.history import Message
from dispatcher.providers.llm import openai_tools
from dispatcher.providers.llm.negotiated_reply import NegotiatedReply
from dispatcher.providers.llm.reply_reader import DeltaReader, read_reply
from dispatcher.providers.llm.untagged_thinking import UntaggedThinking
from dispatcher.providers.negotiation import Negotiation, Parameter, RefusedParameters, parameter
from dispatcher.providers.openai_http import OpenAiServer, model_of
from dispatcher.tools.model import ChatPiece, Tool

# OpenAI's reasoning models take the second name only.
MAX_TOKENS_NAMES: Final = ("max_tokens", "max_completion_tokens")
# DashScope and Qwen; vLLM, SGLang and llama.cpp; Zhipu, DeepSeek and Volcano. Others ignore or refuse them.
THINKING_OFF: Final[Mapping[str, Any]] = {
    "enable_thinking": False,
    "chat_template_kwargs": {"enable_thinking": False},
    "thinking": {"type": "disabled"},
}
# The only ones that take `prompt_cache_key`: requests with one key go to machines that may have their prefix.
CACHE_KEY_HOSTS: Final = ("api.openai.com", ".openai.azure.com")
_CACHE_KEY_CHARACTERS: Final = 16
EXTRAS: Final = "reasoning_content, extra_content"


class OpenAiChat(OpenAiServer):
    """Calls LLM instances of the OpenAI dialect."""

    def __init__(self, session: aiohttp.ClientSession, refused: RefusedParameters | None = None) -> None:
        """Use the session of the running loop, which the caller closes, and what instances refuse."""
        super().__init__(session, refused)
        self._untagged = UntaggedThinking(self.refused)
        self._answered: set[str] = set()

    async def chat(
        self, instance: Instance, messages: Sequence[Message], tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[ChatPiece, None]:
        """Yield the reply's text as its events come; calls of tools are whole when the stream is over."""
        # A server of a strict kind may say no more than "bad request" to what it does not know.
        guesses = 0 if instance.name in self._answered else 1
        negotiation = Negotiation(self.refused, instance, _parameters(instance, messages), guesses=guesses)

        async def request_reply(reader: DeltaReader) -> AsyncGenerator[ChatPiece, None]:
            body = _body(instance, messages, tools, negotiation)
            async with (
                self.post(instance, "/chat/completions", json=body) as response,
                aclosing(read_reply(instance, response, reader)) as pieces,
            ):
                async for piece in pieces:
                    yield piece

        reply = NegotiatedReply(
            negotiation=negotiation,
            request=request_reply,
            tools=tools,
            untagged=self._untagged,
            length_names=MAX_TOKENS_NAMES,
        )
        async with aclosing(reply.pieces()) as pieces:
            async for piece in pieces:
                self._answered.add(instance.name)
                yield piece


def _parameters(instance: Instance, messages: Sequence[Message]) -> list[list[Parameter]]:
    """Return what a request carries beside the dialogue, where the instance takes it.

    The first is the one that a reply can do without.
    """
    most = instance.max_tokens or DEFAULT_MAX_TOKENS
    optional = [[parameter("stream_options", {"include_usage": True})]]
    optional.append([parameter(name, most) for name in MAX_TOKENS_NAMES])
    if instance.temperature is not None:
        optional.append([parameter("temperature", instance.temperature)])
    if instance.thinking == "off":
        optional += [[parameter(name, value)] for name, value in THINKING_OFF.items()]
    if (urlsplit(instance.endpoint).hostname or "").endswith(CACHE_KEY_HOSTS):
        optional.append([parameter("prompt_cache_key", _cache_key(messages))])
    if openai_tools.has_extras(messages):
        pattern = re.compile("reasoning_content|extra_content|thought_signature")
        optional.append([Parameter(label=EXTRAS, fields={}, pattern=pattern)])
    return optional


def _cache_key(messages: Sequence[Message]) -> str:
    """Return what is the same for requests that begin alike, and tells nothing of what they say."""
    prompt = next((each.content for each in messages if each.role == "system"), "")
    return hashlib.sha256(prompt.encode()).hexdigest()[:_CACHE_KEY_CHARACTERS]


def _body(
    instance: Instance, messages: Sequence[Message], tools: Sequence[Tool], negotiation: Negotiation
) -> dict[str, Any]:
    with_extras = negotiation.sends(EXTRAS)
    body: dict[str, Any] = {
        "model": model_of(instance),
        **negotiation.fields,
        **instance.extra_body,
        "stream": True,
        "messages": [openai_tools.message_body(each, with_extras=with_extras) for each in messages],
    }
    if tools:
        body["tools"] = [openai_tools.tool_body(tool) for tool in tools]
    return body

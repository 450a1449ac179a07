"""The OpenAI HTTP dialect: Ollama, vLLM, llama.cpp, DashScope, faster-whisper servers and our own.

Source: OpenAI API reference, audio/transcriptions, chat/completions with server-sent events, audio/speech.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import aiohttp
from yarl import URL

from dispatcher.catalogue.model import DEFAULT_MAX_TOKENS, Instance
from dispatcher.dialogue.history import Message
from dispatcher.errors import InstanceBusy, InstanceError, InstanceFailed, InstanceUnreachable
from dispatcher.messages import REPLY_RATE_HZ, Language, SpeechFormat
from dispatcher.providers import openai_tools
from dispatcher.providers.base import Reported, Transcript
from dispatcher.providers.http import (
    SHOWN_BYTES,
    bearer_headers,
    raise_for_status,
    read_bounded,
    wire_errors,
)
from dispatcher.providers.model_lists import names_in
from dispatcher.providers.openai_chat import ReplyReader, read_reply
from dispatcher.providers.openai_transcript import read_transcript
from dispatcher.providers.optional_parameters import (
    Negotiation,
    Parameter,
    RefusedParameters,
    parameter,
)
from dispatcher.providers.reported import read_report
from dispatcher.providers.speech import Form, decoded
from dispatcher.providers.untagged_thinking import UntaggedThinking
from dispatcher.tools.model import ChatPiece, Tool

CHECK_TIMEOUT_S: Final = 5.0
# Some servers send speech without a type, or under an odd one: then it is what was asked for.
_KINDS: Final[dict[str, SpeechFormat]] = {
    **dict.fromkeys(("audio/mpeg", "audio/mp3", "audio/mpeg3", "audio/x-mpeg"), "mp3"),
    **dict.fromkeys(("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"), "wav"),
    **dict.fromkeys(("audio/ogg", "audio/opus", "application/ogg"), "opus"),
    **dict.fromkeys(("audio/pcm", "audio/l16"), "pcm"),
}
# Played as PCM these would be a loud noise.
_NO_SPEECH: Final = (
    *("text/", "application/json", "application/xml", "video/"),
    *("audio/aac", "audio/flac", "audio/mp4", "audio/webm"),
)
# Of the first form speech that is none can be told apart; a few models have the last one only.
HEARD_AS: Final = ("verbose_json", "json", "text")
# OpenAI's reasoning models take the second name only.
MAX_TOKENS_NAMES: Final = ("max_tokens", "max_completion_tokens")
# DashScope and Qwen; vLLM, SGLang and llama.cpp; Zhipu, DeepSeek and Volcano. Others ignore or refuse them.
THINKING_OFF: Final[Mapping[str, Any]] = {
    "enable_thinking": False,
    "chat_template_kwargs": {"enable_thinking": False},
    "thinking": {"type": "disabled"},
}
# Of a refusal that names no parameter.
MAX_GUESSES: Final = 2
EXTRAS: Final = "reasoning_content, extra_content"
DEFAULT_MODELS: Final = {"asr": "whisper-1", "llm": "default", "tts": "tts-1"}


class OpenAiHttp:
    """Calls instances that speak the OpenAI dialect."""

    def __init__(self, session: aiohttp.ClientSession, refused: RefusedParameters | None = None) -> None:
        """Use the session of the running loop, which the caller closes, and what instances refuse."""
        self._session = session
        self._refused = refused or RefusedParameters()
        self._untagged = UntaggedThinking(self._refused)

    async def transcribe(self, instance: Instance, wav: bytes, language: Language) -> Transcript:
        """Return what is said in the WAV; the instance's configured language wins over the device's."""
        wanted = instance.language or language
        formats = [
            parameter("response_format", each, words="response.?format|verbose_json", shown=True)
            for each in HEARD_AS
        ]
        languages = [] if wanted == "auto" else [parameter("language", wanted)]
        talk = Negotiation(self._refused, instance, [formats, languages], guesses=MAX_GUESSES)
        while True:
            try:
                async with self._post(
                    instance, "/audio/transcriptions", data=_form_of(instance, wav, talk.fields)
                ) as response:
                    raw = await read_bounded(instance, response)
                is_text = (
                    response.content_type == "text/plain" or talk.fields.get("response_format") == "text"
                )
                transcript = read_transcript(instance, raw, wanted, is_text=is_text)
                break
            except InstanceError as error:
                if not talk.drop_named(error):
                    raise
        talk.accept()
        return transcript

    async def chat(
        self, instance: Instance, messages: Sequence[Message], tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[ChatPiece, None]:
        """Yield the reply's text as its events come; calls of tools are whole when the stream is over."""
        talk = Negotiation(self._refused, instance, _chat_parameters(instance, messages))
        while True:
            reader = ReplyReader(instance, tools, starts_thinking=self._untagged.is_expected(instance))
            try:
                async for piece in self._reply(instance, _chat_body(instance, messages, tools, talk), reader):
                    if reader.has_text:
                        talk.accept()
                    yield piece
                # The next reply has room; so has this one, where nothing of it was said.
                is_cut = reader.is_cut_by_reasoning and talk.drop(
                    MAX_TOKENS_NAMES, "reasoning took all tokens"
                )
                if not is_cut or reader.has_text:
                    break
            except InstanceError as error:
                if reader.has_text or not talk.drop_named(error):
                    raise
        rest = reader.finish()
        talk.accept()
        self._untagged.learn(instance, reader)
        for piece in rest:
            yield piece

    async def _reply(
        self, instance: Instance, body: dict[str, Any], reader: ReplyReader
    ) -> AsyncGenerator[ChatPiece, None]:
        async with (
            self._post(instance, "/chat/completions", json=body) as response,
            aclosing(read_reply(instance, response, reader)) as pieces,
        ):
            async for piece in pieces:
                yield piece

    async def synthesize(
        self, instance: Instance, text: str, language: Language
    ) -> AsyncGenerator[bytes, None]:
        """Yield the speech as it comes, decoded where it is no PCM."""
        wanted = instance.language or language
        asked = dict.fromkeys((instance.format or "pcm", "wav", "mp3"))
        formats = [parameter("response_format", each, words="format|pcm", shown=True) for each in asked]
        languages = [] if wanted == "auto" else [parameter("language", wanted)]
        talk = Negotiation(self._refused, instance, [formats, languages], guesses=MAX_GUESSES)
        begun = False
        while not begun:
            body = {
                "model": _model(instance),
                "input": text,
                "voice": instance.voice or "default",
                **talk.fields,
                **instance.extra_body,
            }
            try:
                async with self._post(instance, "/audio/speech", json=body) as response:
                    sent_as = replace(instance, format=body.get("response_format", "mp3"))
                    form = await _form(sent_as, response)
                    begun = True
                    pieces = decoded(instance, _slices(response), form)
                    async with aclosing(pieces):
                        async for pcm in pieces:
                            talk.accept()
                            yield pcm
            except InstanceError as error:
                if begun or not talk.drop_named(error):
                    raise

    async def check(self, instance: Instance) -> Reported:
        """Return what /health reports, or nothing where /models has to answer in its place."""
        async with wire_errors(instance), asyncio.timeout(CHECK_TIMEOUT_S):
            try:
                health = str(URL(instance.endpoint).with_path("/health"))
                async with self._get(instance, health) as response:
                    return await read_report(instance, response)
            except (InstanceUnreachable, InstanceBusy):
                raise
            except InstanceError:
                async with self._get(instance, instance.endpoint + "/models"):
                    return Reported()

    async def models(self, instance: Instance) -> Sequence[str] | None:
        """Return the names in /models."""
        url = instance.endpoint + "/models"
        async with asyncio.timeout(CHECK_TIMEOUT_S), self._get(instance, url) as response:
            return names_in(await read_bounded(instance, response))

    @asynccontextmanager
    async def _post(
        self, instance: Instance, path: str, **body: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        async with (
            wire_errors(instance),
            self._session.post(
                instance.endpoint + path, headers=bearer_headers(instance), **body
            ) as response,
        ):
            await raise_for_status(instance, response)
            yield response

    @asynccontextmanager
    async def _get(self, instance: Instance, url: str) -> AsyncIterator[aiohttp.ClientResponse]:
        async with (
            wire_errors(instance),
            self._session.get(url, headers=bearer_headers(instance)) as response,
        ):
            await raise_for_status(instance, response)
            yield response


def _model(instance: Instance) -> str:
    return instance.model or DEFAULT_MODELS[instance.service]


def _chat_parameters(instance: Instance, messages: Sequence[Message]) -> list[list[Parameter]]:
    """Return what a chat request carries beside the dialogue, where the instance takes it."""
    most = instance.max_tokens or DEFAULT_MAX_TOKENS
    optional = [[parameter(name, most) for name in MAX_TOKENS_NAMES]]
    if instance.temperature is not None:
        optional.append([parameter("temperature", instance.temperature)])
    if instance.thinking == "off":
        optional += [[parameter(name, value)] for name, value in THINKING_OFF.items()]
    if openai_tools.has_extras(messages):
        words = "reasoning_content|extra_content|thought_signature"
        optional.append([Parameter(label=EXTRAS, fields={}, words=re.compile(words))])
    return optional


def _chat_body(
    instance: Instance, messages: Sequence[Message], tools: Sequence[Tool], talk: Negotiation
) -> dict[str, Any]:
    with_extras = talk.sends(EXTRAS)
    body: dict[str, Any] = {
        "model": _model(instance),
        **talk.fields,
        **instance.extra_body,
        "stream": True,
        "messages": [openai_tools.message_body(each, with_extras=with_extras) for each in messages],
    }
    if tools:
        body["tools"] = [openai_tools.tool_body(tool) for tool in tools]
    return body


def _form_of(instance: Instance, wav: bytes, fields: Mapping[str, Any]) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("file", wav, filename="utterance.wav", content_type="audio/wav")
    form.add_field("model", _model(instance))
    for name, value in {**fields, **instance.extra_body}.items():
        form.add_field(name, value if isinstance(value, str) else json.dumps(value))
    return form


async def _form(instance: Instance, response: aiohttp.ClientResponse) -> Form:
    """Return how speech is sent, by its type and the rate that may stand beside it."""
    kind = response.content_type
    if kind.startswith(_NO_SPEECH):
        shown = (await response.content.read(SHOWN_BYTES))[:SHOWN_BYTES]
        reason = f"speech came as {kind}, expected audio/pcm: {shown!r}"
        raise InstanceFailed(instance.name, reason, said=shown.decode("utf-8", "replace"))
    told = response.headers.get("Content-Type", "")
    rate = re.search(r"\brate=\"?(\d{4,6})\b", told)
    channels = re.search(r"\bchannels=\"?([12])\b", told)
    return Form(
        kind=_KINDS.get(kind, instance.format or "pcm"),
        sample_rate_hz=int(rate[1]) if rate else REPLY_RATE_HZ,
        channels=int(channels[1]) if channels else 1,
        certain=_KINDS.get(kind) == "pcm",
    )


async def _slices(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    async for piece in response.content.iter_any():
        yield piece

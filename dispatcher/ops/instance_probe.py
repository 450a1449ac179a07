"""Probe of one instance: one real call, its answer and its times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from dispatcher.audio.pcm import read_wav
from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.history import Message
from dispatcher.errors import EmptyReply, InstanceError, InstanceFailed, InstanceUnreachable
from dispatcher.messages import REPLY_RATE_HZ, Service
from dispatcher.providers.model_lists import ask_unlisted_model
from dispatcher.providers.registry import Providers
from dispatcher.tools.model import Progress, PromptUsage, ToolCall

INSTANCE_PROBE_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Input of the call: a text for an LLM or a voice, a WAV for an ASR."""

    text: str = ""
    wav: bytes = b""
    system_prompt: str = ""


@dataclass(slots=True, kw_only=True)
class InstanceProbe:
    """Call to an instance, as far as it has come.

    Attributes:
        connected_s: from the start to the open connection, TLS included; None where that cannot be seen.
        first_s: to the first of the answer, None where it never came.
        total_s: to its end, None where that never came.
        text: the transcript or the reply.
        speech: s16le mono PCM at 24 kHz.
        audio_s: length of the sound that was spoken or heard.
        health: what the health check says.
        refused: optional parameters that it refused, each with what it said; the call was made without them.
    """

    service: Service
    connected_s: float | None = None
    first_s: float | None = None
    total_s: float | None = None
    text: str = ""
    speech: bytes = b""
    audio_s: float = 0.0
    health: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
    error: InstanceError | None = None

    def add(self, piece: str | bytes) -> None:
        """Add a piece of text or speech."""
        if isinstance(piece, str):
            self.text += piece
            return
        self.speech += piece
        self.audio_s = len(self.speech) / 2 / REPLY_RATE_HZ

    def require_answer(self, instance: Instance) -> None:
        """Do nothing where something was answered.

        Raises:
            InstanceError: nothing was.
        """
        if self.service == "llm" and not self.text.strip():
            raise EmptyReply(instance.name, "the reply is empty")
        if self.service == "tts" and not self.speech:
            raise InstanceFailed(instance.name, "the speech is empty")


async def probe_instance(instance: Instance, question: Question) -> InstanceProbe:
    """Return the result of one call; an InstanceError is part of it."""
    probe, started_at = InstanceProbe(service=instance.service), time.monotonic()
    if question.wav:
        pcm, rate_hz = read_wav(question.wav)
        probe.audio_s = len(pcm) / 2 / rate_hz
    providers = Providers(watched_by=[_watch_connecting(probe, started_at)])
    try:
        call = _CALLS[instance.service](providers, instance, question)
        async with asyncio.timeout(INSTANCE_PROBE_TIMEOUT_S), aclosing(call) as pieces:
            async for piece in pieces:
                probe.first_s = probe.first_s or time.monotonic() - started_at
                probe.add(piece)
        probe.require_answer(instance)
        probe.total_s = time.monotonic() - started_at
    except InstanceError as error:
        probe.error = error
    except TimeoutError:
        probe.error = InstanceUnreachable(
            instance.name, f"no whole answer within {INSTANCE_PROBE_TIMEOUT_S:g} s"
        )
    probe.refused = {key: each.reason for key, each in providers.refused.of(instance.name).items()}
    try:
        probe.health = await _check(providers, instance, is_answered=probe.error is None)
    finally:
        await providers.close()
    return probe


async def _transcribe(providers: Providers, instance: Instance, question: Question) -> AsyncGenerator[str]:
    transcript = await providers.asr(instance).transcribe(instance, question.wav, "auto")
    yield f"{transcript.text!r} ({transcript.language})"


async def _chat(providers: Providers, instance: Instance, question: Question) -> AsyncGenerator[str]:
    system = [Message(role="system", content=question.system_prompt)] if question.system_prompt else []
    messages = [*system, Message(role="user", content=question.text)]
    async with aclosing(providers.llm(instance).chat(instance, messages)) as pieces:
        async for piece in pieces:
            if not isinstance(piece, Progress | PromptUsage):
                yield f"[calls {piece.name}]" if isinstance(piece, ToolCall) else piece


async def _synthesize(providers: Providers, instance: Instance, question: Question) -> AsyncGenerator[bytes]:
    async with aclosing(providers.tts(instance).synthesize(instance, question.text, "auto")) as pieces:
        async for pcm in pieces:
            yield pcm


_CALLS: Final[Mapping[Service, Callable[..., AsyncGenerator[str | bytes]]]] = {
    "asr": _transcribe,
    "llm": _chat,
    "tts": _synthesize,
}


async def _check(providers: Providers, instance: Instance, *, is_answered: bool) -> str:
    """Return what the health check sees; a call that succeeded says more than any page."""
    started_at = time.monotonic()
    if not is_answered and (unlisted := await ask_unlisted_model(providers.of(instance), instance)):
        return f"failing: {unlisted}"
    try:
        await providers.of(instance).check(instance)
    except (InstanceError, TimeoutError) as error:
        reason = getattr(error, "reason", "") or "no answer in time"
        if is_answered and not isinstance(error, InstanceUnreachable | TimeoutError):
            return f"well by its calls; no page says so: {reason}"
        return f"not well: {reason}"
    return f"well, after {(time.monotonic() - started_at) * 1000:.0f} ms"


def _watch_connecting(probe: InstanceProbe, started_at: float) -> aiohttp.TraceConfig:
    """Return what notes the moment at which the first connection is open, TLS included."""

    async def note(*_: Any) -> None:
        probe.connected_s = probe.connected_s or time.monotonic() - started_at

    watch = aiohttp.TraceConfig()
    watch.on_connection_create_end.append(note)
    return watch

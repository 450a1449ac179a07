"""One call to one instance, watched: what came back, and after how long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
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
from dispatcher.tools.model import Progress, ToolCall

TRIAL_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an instance is asked: a text for an LLM or a voice, a WAV for an ASR."""

    text: str = ""
    wav: bytes = b""
    system_prompt: str = ""


@dataclass(slots=True, kw_only=True)
class InstanceProbe:
    """What is known of the call so far.

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


async def run_trial(instance: Instance, question: Question) -> InstanceProbe:
    """Return what became of one call; an InstanceError is part of that."""
    trial, started_at = InstanceProbe(service=instance.service), time.monotonic()
    providers = Providers(watched_by=[_watch_connecting(trial, started_at)])
    try:
        async with asyncio.timeout(TRIAL_TIMEOUT_S):
            await _call(providers, instance, question, trial, started_at)
        trial.total_s = time.monotonic() - started_at
    except InstanceError as error:
        trial.error = error
    except TimeoutError:
        trial.error = InstanceUnreachable(instance.name, f"no whole answer within {TRIAL_TIMEOUT_S:g} s")
    trial.refused = {key: each.reason for key, each in providers.refused.of(instance.name).items()}
    try:
        trial.health = await _check(providers, instance, is_answered=trial.error is None)
    finally:
        await providers.close()
    return trial


async def _call(
    providers: Providers, instance: Instance, question: Question, trial: InstanceProbe, started_at: float
) -> None:
    match instance.service:
        case "asr":
            await _hear(providers, instance, question, trial, started_at)
        case "llm":
            await _ask(providers, instance, question, trial, started_at)
        case "tts":
            await _speak(providers, instance, question, trial, started_at)


async def _hear(
    providers: Providers, instance: Instance, question: Question, trial: InstanceProbe, started_at: float
) -> None:
    pcm, rate_hz = read_wav(question.wav)
    trial.audio_s = len(pcm) / 2 / rate_hz
    heard = await providers.asr(instance).transcribe(instance, question.wav, "auto")
    trial.first_s = time.monotonic() - started_at
    trial.text = f"{heard.text!r} ({heard.language})"


async def _ask(
    providers: Providers, instance: Instance, question: Question, trial: InstanceProbe, started_at: float
) -> None:
    system = [Message(role="system", content=question.system_prompt)] if question.system_prompt else []
    messages = [*system, Message(role="user", content=question.text)]
    async with aclosing(providers.llm(instance).chat(instance, messages)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Progress):
                continue
            trial.first_s = trial.first_s or time.monotonic() - started_at
            trial.text += f"[calls {piece.name}]" if isinstance(piece, ToolCall) else piece
    if not trial.text.strip():
        raise EmptyReply(instance.name, "the reply is empty")


async def _speak(
    providers: Providers, instance: Instance, question: Question, trial: InstanceProbe, started_at: float
) -> None:
    speech = providers.tts(instance).synthesize(instance, question.text, "auto")
    async with aclosing(speech) as pieces:
        async for pcm in pieces:
            trial.first_s = trial.first_s or time.monotonic() - started_at
            trial.speech += pcm
            trial.audio_s = len(trial.speech) / 2 / REPLY_RATE_HZ
    if not trial.speech:
        raise InstanceFailed(instance.name, "the speech is empty")


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


def _watch_connecting(trial: InstanceProbe, started_at: float) -> aiohttp.TraceConfig:
    """Return what notes the moment at which the first connection is open, TLS included."""

    async def note(*_: Any) -> None:
        trial.connected_s = trial.connected_s or time.monotonic() - started_at

    watch = aiohttp.TraceConfig()
    watch.on_connection_create_end.append(note)
    return watch

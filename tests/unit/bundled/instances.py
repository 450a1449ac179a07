"""Instances in the test's own loop, on a real socket, and engines that behave as a test needs."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
from aiohttp.test_utils import TestClient, TestServer
from numpy.typing import NDArray

from dispatcher.bundled.engines import Call, Engine, Language, Message, Service, Tool
from dispatcher.bundled.registry import prepare
from dispatcher.bundled.routes import build_app
from dispatcher.bundled.served_engine import ServedEngine

Client = TestClient[Any, Any]


@asynccontextmanager
async def serving(service: Service, engine: Engine | None) -> AsyncIterator[Client]:
    """Serve an engine; None for one that is still loading."""
    served = ServedEngine(service=service, engine_name="fake")
    served.engine = engine
    async with TestClient(TestServer(build_app(served))) as client:
        yield client


@asynccontextmanager
async def timed(service: Service, **options: str) -> AsyncIterator[Client]:
    """Serve a timed engine."""
    prepared = prepare(service, "timed", options)
    served = ServedEngine(service=service, engine_name="timed")
    served.engine = prepared.load()
    async with TestClient(TestServer(build_app(served, prepared.fault_setting))) as client:
        yield client


class Speaker:
    """An LLM engine that says what it is told, and whose end can be waited for."""

    model = "speaker"

    def __init__(self, *tokens: str, breaks: bool = False) -> None:
        """Say these tokens; then break, or end."""
        self.tokens = tokens
        self.breaks = breaks
        self.heard: Sequence[Message] = ()
        self.language: Language = "auto"
        self.tools: Sequence[Tool] = ()

    async def respond(
        self, messages: Sequence[Message], *, language: Language, tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[str | Call, None]:
        """Yield the tokens."""
        self.heard, self.language, self.tools = messages, language, tools
        for token in self.tokens:
            yield token
        if self.breaks:
            raise RuntimeError("the engine broke")


class Tone:
    """A voice that hums 100 ms for each character, with silence around it."""

    def __init__(self, frequency_hz: float, level: float) -> None:
        """Hum at this pitch and peak."""
        self.frequency_hz = frequency_hz
        self.level = level
        self.said: list[tuple[str, float]] = []

    @property
    def sample(self) -> str:
        """Any text will do."""
        return "sample"

    @property
    def name(self) -> str:
        """What `/v1/models` calls it."""
        return f"tone{self.frequency_hz:.0f}"

    def say(self, text: str, speed: float) -> Iterator[NDArray[np.float32]]:
        """Yield the hum in pieces of half a second."""
        self.said.append((text, speed))
        time_s = np.arange(round(0.1 * len(text) * 24_000)) / 24_000
        hum = self.level * np.sin(2 * np.pi * self.frequency_hz * time_s)
        silence = np.zeros(12_000)
        samples = np.concatenate([silence, hum, silence]).astype(np.float32)
        yield from (samples[start : start + 12_000] for start in range(0, len(samples), 12_000))


def wav_of(pcm: bytes, rate_hz: int = 16_000, channels: int = 1) -> bytes:
    """Return s16le samples as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(pcm)
    return file.getvalue()


def utterance(wav: bytes | None, **fields: str) -> aiohttp.FormData:
    """Return the form of a transcription request."""
    form = aiohttp.FormData(default_to_multipart=True)
    if wav is not None:
        form.add_field("file", wav, filename="utterance.wav", content_type="audio/wav")
    for name, value in fields.items():
        form.add_field(name, value)
    return form


def asking(said: str = "hello", **fields: Any) -> dict[str, Any]:
    """Return the body of a chat request."""
    return {"model": "any", "messages": [{"role": "user", "content": said}], **fields}


def events_of(body: str) -> list[Any]:
    """Return the JSON of each server-sent event; [DONE] as it is."""
    events = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
    return [event if event == "[DONE]" else json.loads(event) for event in events]


def text_of(events: Sequence[Any]) -> str:
    """Return what the events of a chat stream say together."""
    return "".join(
        choice["delta"].get("content", "")
        for event in events
        if event != "[DONE]"
        for choice in event["choices"]
    )

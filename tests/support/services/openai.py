"""A server that speaks the OpenAI dialect as a test tells it to, well or badly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.history import Message
from dispatcher.messages import Language, Service
from dispatcher.providers.asr.openai_transcription import OpenAiTranscription
from dispatcher.providers.http import new_session
from dispatcher.providers.llm.openai_chat import OpenAiChat
from dispatcher.providers.negotiation import RefusedParameters
from dispatcher.providers.tts.openai_speech import OpenAiSpeech
from dispatcher.tools.model import ChatPiece, Tool

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
QUESTION = [Message(role="system", content="Be brief."), Message(role="user", content="Hi!")]


@dataclass(frozen=True)
class Asked:
    """One request: its path, headers, JSON body or form, and the client's port."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    port: int


@dataclass
class FakeOpenAi:
    """The server, the providers that call it, and instances that they take it for.

    Attributes:
        refused: what the providers learned.
        asked: every request, oldest first.
        gone: set when a client leaves before its answer was over.
    """

    session: aiohttp.ClientSession
    refused: RefusedParameters = field(default_factory=RefusedParameters)
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    _handler: Handler | None = None

    def __post_init__(self) -> None:
        """Make the providers."""
        self.asr = OpenAiTranscription(self.session, self.refused)
        self.llm = OpenAiChat(self.session, self.refused)
        self.tts = OpenAiSpeech(self.session, self.refused)

    def instance(self, service: Service, **fields: Any) -> Instance:
        endpoint = f"http://127.0.0.1:{self.port}/v1"
        return Instance(service=service, name=f"{service}-1", endpoint=endpoint, **fields)

    def does(self, handler: Handler) -> None:
        """Answer every request from now on by a handler."""
        self._handler = handler

    def answers(self, body: bytes | str, *, status: int = 200, **headers: str) -> None:
        """Answer with a whole body, JSON unless a `Content_Type` is given."""
        raw = body.encode() if isinstance(body, str) else body
        given = {"Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }

        async def handler(_: web.Request) -> web.Response:
            return web.Response(status=status, body=raw, headers=given)

        self.does(handler)

    def streams(
        self,
        *pieces: bytes,
        then: Callable[[web.Request], Awaitable[None]] | None = None,
        content_type: str = "text/event-stream",
    ) -> None:
        """Answer with a stream; each piece is sent on its own, and then something may happen."""

        async def handler(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            response.content_type = content_type
            await response.prepare(request)
            for piece in pieces:
                await response.write(piece)
                # The client shares the loop: it reads this piece before the next one is written.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            if then is not None:
                await then(request)
            await response.write_eof()
            return response

        self.does(handler)

    def streams_in_turn(self, *streams: Sequence[bytes]) -> None:
        """Answer one request after the other with these streams."""
        left = list(streams)

        async def handler(_: web.Request) -> web.Response:
            return web.Response(body=b"".join(left.pop(0)), content_type="text/event-stream")

        self.does(handler)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await _read(request))
        if self._handler is None:
            raise web.HTTPNotFound(text="no such path")
        try:
            return await self._handler(request)
        except asyncio.CancelledError:
            self.gone.set()
            raise

    async def transcribe(
        self, wav: bytes = b"RIFF", language: Language = "auto", **fields: Any
    ) -> tuple[str, str]:
        """Return text and language of an utterance, as the provider understands this server."""
        heard = await self.asr.transcribe(self.instance("asr", **fields), wav, language)
        return heard.text, heard.language

    def chat(self, tools: Sequence[Tool] = (), **fields: Any) -> AsyncGenerator[ChatPiece, None]:
        return self.llm.chat(self.instance("llm", **fields), QUESTION, tools)

    def speech(self, language: Language = "auto", **fields: Any) -> AsyncGenerator[bytes, None]:
        return self.tts.synthesize(self.instance("tts", **fields), "It is noon.", language)


async def _read(request: web.Request) -> Asked:
    body: Mapping[str, Any] = {}
    if request.content_type == "application/json" and request.can_read_body:
        body = await request.json()
    elif request.content_type == "multipart/form-data":
        form = await request.post()
        body = {name: _content(value) for name, value in form.items()}
    peer = request.transport.get_extra_info("peername") if request.transport else ("", 0)
    return Asked(path=request.path, headers=request.headers, body=body, port=peer[1])


def _content(value: str | bytes | bytearray | web.FileField) -> str | bytes:
    if not isinstance(value, web.FileField):
        return bytes(value) if isinstance(value, bytearray) else value
    with value.file as file:
        return file.read()


async def reset(request: web.Request) -> None:
    """Break the connection without a word."""
    if request.transport is not None:
        request.transport.abort()


async def rest_for_ever(_: web.Request) -> None:
    """Say nothing more, and keep the connection."""
    await asyncio.Event().wait()


def event(**chunk: Any) -> bytes:
    """Return a chunk as a server-sent event."""
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def says(text: str | None) -> bytes:
    """Return the event of a piece of text."""
    return event(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


DONE = b"data: [DONE]\n\n"


@asynccontextmanager
async def serving_openai(session: aiohttp.ClientSession | None = None) -> AsyncGenerator[FakeOpenAi]:
    """Start the server on a free port, with a provider that uses this session or one of its own."""
    async with session or new_session() as used:
        openai = FakeOpenAi(used)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", openai.handle)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        openai.port = runner.addresses[0][1]
        try:
            yield openai
        finally:
            await runner.cleanup()

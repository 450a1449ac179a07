"""An ASR and two LLM instances that follow a script; without one the built-in assistant speaks.

One HTTP server in a thread, on three ports. It stands for other people's services and speaks their dialect.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from threading import Thread
from typing import Any, Final, Literal

from aiohttp import web

from dispatcher.bundled.assistant.engine import AssistantOptions, load
from dispatcher.bundled.routes.chat import answer_chat

Step = Callable[[web.StreamResponse], Awaitable[None]]
INSTANCES: Final = 3
# Between two pieces of reasoning.
THOUGHT_S: Final = 0.25


class ScriptedModels:
    """The server; port 0 is the ASR, the others are LLM instances.

    Attributes:
        transcript: what the ASR hears.
        asked: every body that an LLM instance was asked with, oldest first.
        script: what LLM instances do with the next requests, whichever is asked.
    """

    def __init__(self) -> None:
        """Listen at once."""
        self.transcript = ""
        self.asked: list[dict[str, Any]] = []
        self.script: list[Step] = []
        self._assistant = load(AssistantOptions())
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="scripted models")
        self._thread.start()
        self._runner, self.ports = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def forget(self) -> None:
        """Go back to how it began."""
        self.transcript = ""
        self.asked.clear()
        self.script.clear()

    def close(self) -> None:
        """Stop listening and end the thread."""
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _listen(self) -> tuple[web.AppRunner, list[int]]:
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_post("/v1/audio/transcriptions", self._transcribe)
        app.router.add_post("/v1/chat/completions", self._respond)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
        await runner.setup()
        for _ in range(INSTANCES):
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, [address[1] for address in runner.addresses]

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _transcribe(self, request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"text": self.transcript})

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        if not self.script:
            return await answer_chat(self._assistant, request)
        step = self.script.pop(0)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        if refusal := getattr(step, "refuses", ""):
            raise web.HTTPBadRequest(text=json.dumps({"error": {"message": refusal}}))
        await response.prepare(request)
        await step(response)
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


def says(*pieces: str) -> Step:
    """Say this."""

    async def step(response: web.StreamResponse) -> None:
        for piece in pieces:
            await response.write(_event({"content": piece}))

    return step


def calls(
    *asked: tuple[str, dict[str, Any] | str], before: str = "", reasoning: str = "", **extra: Any
) -> Step:
    """Ask for these tools, in pieces as real servers do; arguments that are text are sent as they are."""

    async def step(response: web.StreamResponse) -> None:
        if before:
            await response.write(_event({"content": before}))
        if reasoning:
            await response.write(_event({"reasoning_content": reasoning}))
        for index, (name, given) in enumerate(asked):
            arguments = given if isinstance(given, str) else json.dumps(given)
            begun = {"index": index, "id": f"call-{index}", "type": "function", **extra}
            await response.write(
                _event({"tool_calls": [{**begun, "function": {"name": name, "arguments": ""}}]})
            )
            for part in (arguments[:3], arguments[3:]):
                more = {"index": index, "function": {"arguments": part}}
                await response.write(_event({"tool_calls": [more]}))

    return step


def breaks_after(first: Step) -> Step:
    """Do this, then lose the connection."""

    async def step(response: web.StreamResponse) -> None:
        await first(response)
        transport = response._req.transport if response._req else None
        assert transport is not None
        transport.abort()
        raise ConnectionError("the script says so")

    return step


def rests() -> Step:
    """Accept the request and say nothing at all."""

    async def step(_: web.StreamResponse) -> None:
        await asyncio.Event().wait()

    return step


def filtered() -> Step:
    """End the reply by a content filter, before its first word."""

    async def step(response: web.StreamResponse) -> None:
        await response.write(_event({}, end="content_filter"))

    return step


def thinks(seconds: float, *, sign: Literal["reasoning", "comments", "text"] = "reasoning") -> Step:
    """Send reasoning, comments alone, or an open thought in the text, for so long.

    Source: xinnan PR #1920 and PR #3313 (`reasoning_content` for 5 to 20 s), DeepSeek (`: keep-alive`).
    """

    async def step(response: web.StreamResponse) -> None:
        signs = {
            "reasoning": _event({"content": None, "reasoning_content": "Hmm."}),
            "comments": b": keep-alive\n\n",
            "text": _event({"content": "<think>Hmm."}),
        }
        for _ in range(round(seconds / THOUGHT_S)):
            await response.write(signs[sign])
            await asyncio.sleep(THOUGHT_S)

    return step


def waits(seconds: float) -> Step:
    """Send nothing for so long."""

    async def step(_: web.StreamResponse) -> None:
        await asyncio.sleep(seconds)

    return step


def after(*steps: Step) -> Step:
    """Do one after the other."""

    async def step(response: web.StreamResponse) -> None:
        for each in steps:
            await each(response)

    return step


def refuses(words: str = "this model does not support tools") -> Step:
    """Refuse the request in these words."""

    async def step(_: web.StreamResponse) -> None:
        raise AssertionError("refused before")

    step.refuses = words  # type: ignore[attr-defined]
    return step


def _event(delta: dict[str, Any], *, end: str | None = None) -> bytes:
    chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"

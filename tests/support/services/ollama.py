"""Ollama: chat as JSON lines, models that are in memory or not, and loads that end when the client leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from tests.support.services.fake_service import HTML, FakeService, die

MODEL: Final = "qwen2.5:3b"
REPLY: Final = ("It is ", "noon. ", "The sun ", "stands high. ", "Have a good day.")


class FakeOllama(FakeService):
    """The paths that a chat needs.

    Attributes:
        loaded: the models in memory.
        pulled: the models on disk.
        reply: what chat answers, in its chunks.
        tool_calls: what chat asks to be called, as the API carries it.
        loading: set while a load is under way; `go_on` lets it end.
        slow_load: loads wait for `go_on`.
        refuses: key that a chat may not have, as of a model that cannot do it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pulled = {MODEL}
        self.loaded = {MODEL}
        self.reply: Sequence[str] = REPLY
        self.tool_calls: list[dict[str, Any]] = []
        self.loading = asyncio.Event()
        self.slow_load = False
        self.refuses = ""
        self.raw: list[bytes] | None = None

    @property
    def url(self) -> str:
        """The endpoint of an instance."""
        return f"http://127.0.0.1:{self.port}"

    def routes(self) -> list[web.RouteDef]:
        """Serve chat, generate (which loads) and the list of what runs."""
        return [
            web.post("/api/chat", self._chat),
            web.post("/api/generate", self._generate),
            web.get("/api/ps", self._ps),
        ]

    async def _ps(self, _: web.Request) -> web.StreamResponse:
        if self.fault == "html":
            return web.Response(text=HTML, content_type="text/html")
        models = [{"name": name, "model": name, "size": 2_000_000_000} for name in self.loaded]
        return web.json_response({"models": models})

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.asked.append(asked)
        if (refusal := self._refusal(asked)) is not None:
            return refusal
        self.loading.set()
        if self.slow_load:
            await self.go_on.wait()
        self.loaded.add(asked["model"])
        return web.json_response(
            {"model": asked["model"], "response": "", "done": True, "done_reason": "load"}
        )

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.asked.append(asked)
        if (refusal := self._refusal(asked)) is not None:
            return refusal
        response = web.StreamResponse()
        response.content_type = "application/x-ndjson"
        await response.prepare(request)
        await self.wait_to_go_on()
        lines = self._lines(asked["model"]) if self.raw is None else self.raw
        for at, line in enumerate(lines):
            if self.fault in {"dies", "closes"} and at == 3:
                if self.fault == "dies":
                    die(request)
                return response
            await response.write(line)
        return response

    def _refusal(self, asked: dict[str, Any]) -> web.Response | None:
        if asked["model"] not in self.pulled:
            return web.json_response({"error": f"model '{asked['model']}' not found"}, status=404)
        if self.refuses and self.refuses in asked:
            words = f'"{asked["model"]}" does not support {self.refuses}ing'
            return web.json_response({"error": words}, status=400)
        if self.fault == "quota":
            words = "server busy, please try again.  maximum pending requests exceeded"
            return web.json_response({"error": words}, status=503)
        if self.fault == "html":
            return web.Response(text=HTML, content_type="text/html")
        return None

    def _lines(self, model: str) -> list[bytes]:
        chunks: list[dict[str, Any]] = (
            [] if self.fault == "empty" else [{"content": each} for each in self.reply]
        )
        if self.tool_calls:
            chunks.append({"content": "", "tool_calls": self.tool_calls})
        said = [
            {"model": model, "message": {"role": "assistant", **chunk}, "done": False} for chunk in chunks
        ]
        end = {"model": model, "message": {"role": "assistant", "content": ""}, "done": True}
        every = [*said, {**end, "done_reason": "stop", "eval_count": 12}]
        return [json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in every]

"""POST /v1/chat/completions, as one answer or as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from dispatcher.bundled.engines import Call, LlmEngine
from dispatcher.bundled.refusals import refusal_of
from dispatcher.bundled.routes.completion import ChatRequest, Completion
from dispatcher.bundled.routes.stream import stream
from dispatcher.bundled.running import Running

_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    # nginx would collect the events otherwise.
    "X-Accel-Buffering": "no",
}
_LAST_WORDS: Final = b'data: {"error": {"message": "the instance failed", "type": "server_error"}}\n\n'


class LlmRoutes:
    """What an LLM instance answers."""

    MAX_BODY_BYTES: Final = 1024 * 1024

    def __init__(self, running: Running[LlmEngine]) -> None:
        """Answer with the engine of this instance."""
        self._running = running

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_post("/v1/chat/completions", self.respond)

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Answer the dialogue."""
        with self._running.call() as engine:
            asked = _read(await request.read())
            dialogue = [each.as_message() for each in asked.messages]
            tools = [each.as_tool() for each in asked.tools or ()]
            words = sum(len(each.content.split()) for each in dialogue)
            completion = Completion(model=engine.model, prompt_words=words)
            answer = engine.respond(dialogue, language=asked.language, tools=tools)
            if asked.limit is not None:
                answer = _limited(answer, asked.limit, completion)
            async with aclosing(answer) as tokens:
                if not asked.stream:
                    return web.json_response(completion.whole([token async for token in tokens if token]))
                events = _events(tokens, completion, with_usage=asked.wants_usage)
                return await stream(request, events, headers=_HEADERS, last_words=_LAST_WORDS)


def _read(body: bytes) -> ChatRequest:
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as error:
        raise refusal_of(error) from error


async def _limited(
    tokens: AsyncGenerator[str | Call, None], limit: int, completion: Completion
) -> AsyncGenerator[str | Call, None]:
    """Yield at most `limit` tokens, and let the answer say so when there were more."""
    given = 0
    async with aclosing(tokens):
        async for token in tokens:
            if token and given == limit:
                completion.finish_reason = "length"
                return
            given += bool(token)
            yield token


async def _events(
    tokens: AsyncGenerator[str | Call, None], completion: Completion, *, with_usage: bool
) -> AsyncGenerator[bytes, None]:
    async for token in tokens:
        if isinstance(token, Call):
            yield completion.call_event(token)
        else:
            yield completion.token_event(token)
    yield completion.last_events(with_usage=with_usage)

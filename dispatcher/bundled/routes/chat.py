"""POST /v1/chat/completions, as one answer or as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from aiohttp import web

from dispatcher.bundled.engines import Call, LlmEngine
from dispatcher.bundled.request_errors import read_model
from dispatcher.bundled.routes.chat_dialect import ChatRequest, Completion
from dispatcher.bundled.routes.streamed_response import stream
from dispatcher.bundled.served_engine import ServiceRoute

_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    # nginx would collect the events otherwise.
    "X-Accel-Buffering": "no",
}
_ERROR_EVENT: Final = b'data: {"error": {"message": "the instance failed", "type": "server_error"}}\n\n'


async def answer_chat(engine: LlmEngine, request: web.Request) -> web.StreamResponse:
    """Answer the dialogue."""
    chat = read_model(ChatRequest, await request.read())
    dialogue = [each.as_message() for each in chat.messages]
    tools = [each.function.as_tool() for each in chat.tools or ()]
    words = sum(len(each.content.split()) for each in dialogue)
    completion = Completion(model=engine.model, prompt_words=words)
    answer = engine.respond(dialogue, language=chat.language, tools=tools)
    if chat.limit is not None:
        answer = _limited(answer, chat.limit, completion)
    async with aclosing(answer) as tokens:
        if not chat.stream:
            return web.json_response(completion.whole([token async for token in tokens if token]))
        events = _events(tokens, completion, with_usage=chat.wants_usage)
        return await stream(request, events, headers=_HEADERS, error_piece=_ERROR_EVENT)


CHAT: Final = ServiceRoute(path="/v1/chat/completions", max_body_bytes=1024 * 1024, answer=answer_chat)


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

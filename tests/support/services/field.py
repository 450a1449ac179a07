"""Model servers as public reports describe them: status codes, odd chunks and strict templates, byte by byte.

One server plays them all. What an LLM instance answers is chosen by the case that stands in the newest user
message (`case: NAME`), so that many turns share one running system. No page for probes is served (Zhipu, by
OpenCoworkAI/open-codesign #179: no `/models`); only calls work.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from tests.support.services.fake_service import FakeService

Body = Mapping[str, Any]
Part = bytes | float
CASE: Final = re.compile(r"case: (\w+)")
EVENT_STREAM: Final = "text/event-stream"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer.

    Attributes:
        parts: bytes that are written one after the other; a number is a pause in seconds.
        refuses: returns why a request body is refused with 400, or nothing.
    """

    parts: Sequence[Part] = ()
    status: int = 200
    content_type: str = EVENT_STREAM
    refuses: Callable[[Body], str] | None = None


@dataclass(slots=True)
class Call:
    """One request that came.

    Attributes:
        instance: the first part of its path.
        ended: the client left before the answer was over.
    """

    instance: str
    path: str
    body: dict[str, Any]
    ended: bool = False


@dataclass(slots=True)
class FieldScript:
    """What the server does.

    Attributes:
        llm: answers to the requests of a case, in order; the last one again for all that follow.
        transcript: what ASR instances answer, as JSON.
        speech: what a TTS instance named `speaker` answers.
    """

    llm: dict[str, Sequence[Answer]] = field(default_factory=dict)
    transcript: dict[str, Any] = field(default_factory=dict)
    refused_formats: tuple[str, ...] = ()
    speech: Answer = Answer()


class FieldServer(FakeService):
    """The server; the first part of a path names the instance, `standby` always answers in plain words."""

    STANDBY_SAYS: Final = "The standby answers."

    def __init__(self) -> None:
        """Play nothing yet."""
        super().__init__()
        self.script = FieldScript()
        self.calls: list[Call] = []

    def endpoint(self, instance: str) -> str:
        """Return the address of an instance."""
        return f"http://127.0.0.1:{self.port}/{instance}/v1"

    def routes(self) -> list[web.RouteDef]:
        """Serve calls, and nothing that a probe could ask."""
        return [
            web.post("/{instance}/v1/chat/completions", self._chat),
            web.post("/{instance}/v1/audio/transcriptions", self._transcribe),
            web.post("/{instance}/v1/audio/speech", self._speak),
        ]

    def calls_of(self, case: str, instance: str = "") -> list[Call]:
        """Return the chat requests of a case, of all instances or of one."""
        wanted = [each for each in self.calls if f"case: {case}\n" in f"{_newest_user(each.body)}\n"]
        return [each for each in wanted if not instance or each.instance == instance]

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        call = Call(request.match_info["instance"], request.path, await request.json())
        self.calls.append(call)
        if call.instance == "standby":
            return await self._write(request, call, Answer(parts=[text_event(self.STANDBY_SAYS), DONE]))
        found = CASE.search(_newest_user(call.body))
        answers = self.script.llm.get(found[1], ()) if found else ()
        if found is None or not answers:
            return await self._write(request, call, Answer(parts=[text_event("No case."), DONE]))
        number = len(self.calls_of(found[1], call.instance))
        return await self._write(request, call, answers[min(number, len(answers)) - 1])

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        call = Call(request.match_info["instance"], request.path, {key: str(form[key]) for key in form})
        self.calls.append(call)
        wanted = call.body.get("response_format", "json")
        if wanted in self.script.refused_formats:
            message = f"response_format '{wanted}' is not compatible with model 'gpt-4o-mini-transcribe'."
            return web.json_response({"error": {"message": message}}, status=400)
        return web.json_response(self.script.transcript)

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        call = Call(request.match_info["instance"], request.path, await request.json())
        self.calls.append(call)
        return await self._write(request, call, self.script.speech)

    async def _write(self, request: web.Request, call: Call, answer: Answer) -> web.StreamResponse:
        if answer.refuses and (reason := answer.refuses(call.body)):
            return web.json_response({"error": {"message": reason, "code": "400"}}, status=400)
        response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
        try:
            await response.prepare(request)
            for part in answer.parts:
                if isinstance(part, bytes):
                    await response.write(part)
                else:
                    await asyncio.sleep(part)
            await response.write_eof()
        except (asyncio.CancelledError, ConnectionError):
            call.ended = True
            raise
        return response


def _newest_user(body: Body) -> str:
    """Return the text that names the case: the newest user message that has one, in any form of content."""
    texts = [str(each["content"]) for each in body.get("messages", ()) if each["role"] == "user"]
    return next((text for text in reversed(texts) if CASE.search(text)), "")


def event(chunk: object) -> bytes:
    """Return a chunk as a server-sent event."""
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def delta(**fields: Any) -> bytes:
    """Return the event of a chunk with this delta."""
    return event({"id": "c", "choices": [{"index": 0, "delta": fields, "finish_reason": None}]})


def text_event(text: str) -> bytes:
    """Return the event that adds a text."""
    return delta(content=text)


DONE: Final = b"data: [DONE]\n\n"

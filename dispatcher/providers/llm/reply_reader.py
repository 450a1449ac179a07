"""Chat replies of the OpenAI dialect: text, reasoning and tool calls out of chunks as servers send them.

Chunks may lack choices, delta or both; carry `message` in the place of `delta`, or content as a list of
parts; come malformed; have reasoning and tool calls in the text. What carries nothing adds nothing.
docs/providers/openai-http.md names the reports.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import aiohttp

from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.reply_markup import ReplyMarkup
from dispatcher.dialogue.written_calls import offered, offered_tool
from dispatcher.errors import ContentRefused, InstanceBusy, InstanceFailed
from dispatcher.providers.event_stream import MAX_PENDING_BYTES, EventStreamDecoder, Malformed, StreamItem
from dispatcher.providers.http import MAX_LINE_BYTES, SHOWN_BYTES, let_end
from dispatcher.providers.llm.openai_chunks import choice_of, delta_of, is_error, joined_text, texts_of
from dispatcher.providers.llm.openai_tools import CallJoiner
from dispatcher.providers.refusals import FILTERED_ENDS, error_in_answer
from dispatcher.tools.model import ChatPiece, Progress, Tool, ToolCall

# More than this is no fault of the line, but another dialect.
MAX_MALFORMED_CHUNKS: Final = 16
# Mistral's chat template refuses others.
CALL_ID_CHARACTERS: Final = 9
PROGRESS_INTERVAL_S: Final = 0.5
_REASONING_FIELDS: Final = ("reasoning_content", "reasoning", "thinking")
_SHOWN_CHARACTERS: Final = 200


async def read_reply(
    instance: Instance, response: aiohttp.ClientResponse, reader: ReplyReader
) -> AsyncGenerator[ChatPiece, None]:
    """Yield a reply as its bytes come, with a sign of life now and then while they bring no text.

    Raises:
        InstanceError: as in `ReplyReader`; also for a stream without any event, or with an endless one.
    """
    decoder = EventStreamDecoder()
    begun, has_events, yielded_at = b"", False, time.monotonic()
    async for part in _parts(response, reader):
        begun = begun or part[:SHOWN_BYTES]
        for item in decoder.finish() if not part else decoder.feed(part):
            has_events = has_events or item != "comment"
            if item == "done":
                await let_end(response)
                return
            for piece in _pieces(reader, item):
                yield piece
                yielded_at = time.monotonic()
            if reader.is_done:
                await let_end(response)
                return
        if decoder.pending_bytes > (MAX_PENDING_BYTES if decoder.is_json_body else MAX_LINE_BYTES):
            raise InstanceFailed(instance.name, f"a line of the stream is over {MAX_LINE_BYTES} bytes")
        if time.monotonic() - yielded_at >= PROGRESS_INTERVAL_S:
            yield Progress()
            yielded_at = time.monotonic()
    if not has_events:
        raise InstanceFailed(instance.name, f"the stream held no event, it began with {begun!r}")


async def _parts(response: aiohttp.ClientResponse, reader: ReplyReader) -> AsyncIterator[bytes]:
    """Yield the bytes of a stream, none at its end; a break after the reply's end is no fault."""
    try:
        async for part in response.content.iter_any():
            if part:
                yield part
    except (aiohttp.ClientError, ConnectionError):
        if not reader.end:
            raise
    yield b""


def _pieces(reader: ReplyReader, item: StreamItem) -> Iterator[ChatPiece]:
    if isinstance(item, Malformed):
        reader.skip(item)
    elif isinstance(item, dict):
        yield from reader.feed(item)


class ReplyReader:
    """Reader of one reply.

    Attributes:
        has_text: some text of the reply came.
        has_reasoning: some reasoning came in a field of its own.
        end: why the reply ended, in the server's word; empty while it goes on.
        is_done: Ollama said that nothing more comes.
        markup: what the text holds beside the reply.
    """

    def __init__(
        self, instance: Instance, tools: Sequence[Tool] = (), *, starts_thinking: bool = False
    ) -> None:
        """Begin a reply.

        Args:
            instance: answers for what it sends.
            tools: what it may call.
            starts_thinking: its text begins with reasoning that has no opening tag.
        """
        self.has_text = False
        self.has_reasoning = False
        self.end = ""
        self.is_done = False
        self.markup = ReplyMarkup(starts_thinking=starts_thinking)
        self._instance = instance
        self._tools = tools
        self._calls = CallJoiner(instance)
        self._has_deltas = False
        self._has_choices = False
        self._foreign = ""
        self._malformed: list[bytes] = []

    @property
    def is_cut_by_reasoning(self) -> bool:
        """Whether reasoning took tokens of a reply that then had too few."""
        is_thinking = self.has_reasoning or self.markup.has_reasoning or self.markup.is_hiding
        return self.end == "length" and is_thinking

    def feed(self, chunk: dict[str, Any]) -> Iterator[ChatPiece]:
        """Yield what a chunk adds.

        Raises:
            InstanceError: the chunk is an error, or ends the reply for a reason that is none of its own.
        """
        if self.end and not chunk.get("choices"):
            return  # nothing that follows the end takes back what was said
        if chunk.get("error"):
            raise error_in_answer(self._instance, chunk["error"])
        self.is_done = chunk.get("done") is True
        choice = choice_of(chunk)
        self._has_choices = self._has_choices or choice is not None or "choices" in chunk
        if choice is None:
            if chunk.get("choices"):
                self._skip_part(chunk)
            elif is_error(chunk):
                raise error_in_answer(self._instance, chunk)
            elif not self._has_choices:
                self._foreign = self._foreign or repr(chunk)[:_SHOWN_CHARACTERS]
            return
        yield from self._message(choice)
        end = choice.get("finish_reason") or choice.get("done_reason")
        if isinstance(end, str) and end:
            self._take_end(end)

    def skip(self, malformed: Malformed) -> None:
        """Pass over data that is no chunk.

        Raises:
            InstanceFailed: it is too much of it.
        """
        self._malformed.append(malformed.data)
        if len(self._malformed) > MAX_MALFORMED_CHUNKS:
            raise self._unreadable()

    def finish(self) -> list[ChatPiece]:
        """Return the rest of the text and the calls of tools, when the stream is over.

        Raises:
            ContentRefused: a content filter left nothing of the reply.
            InstanceFailed: nothing of it could be read.
        """
        rest = self.markup.finish(is_cut=self.end == "length")
        self.has_text = self.has_text or bool(rest.strip())
        # A server that reads the calls of its model may leave their text in the reply.
        calls = [self._as_offered(call) for call in self._calls.finish()] or [
            ToolCall(id=uuid.uuid4().hex[:CALL_ID_CHARACTERS], name=name, arguments=arguments)
            for name, arguments in offered(self.markup.calls, self._tools)
        ]
        if not self.has_text and not calls:
            # Gemini says "content_filter: PROHIBITED_CONTENT".
            if not FILTERED_ENDS.isdisjoint(re.split(r"[^a-z_]+", self.end.lower())):
                raise ContentRefused(self._instance.name, f"the reply was filtered: {self.end}")
            if self._malformed:
                raise self._unreadable()
            if self._foreign and not self._has_choices:
                raise InstanceFailed(self._instance.name, f"the answer is no reply: {self._foreign}")
        return [rest, *calls] if rest else [*calls]

    def _as_offered(self, call: ToolCall) -> ToolCall:
        tool = offered_tool(call.name, self._tools)
        return call if tool is None else replace(call, name=tool.name)

    def _message(self, choice: dict[str, Any]) -> Iterator[ChatPiece]:
        """Yield what a choice says, in its delta or in a whole message; one after deltas repeats them."""
        delta = delta_of(choice)
        if isinstance(delta, dict) and delta:
            self._has_deltas = True
        else:
            delta = None if self._has_deltas else choice.get("message")
        if delta is None or delta == {}:
            return
        if not isinstance(delta, dict):
            self._skip_part(delta)
            return
        said, thought = texts_of(delta.get("content"))
        if said is None:
            self._skip_part(delta)
            said = ""
        thoughts = (joined_text(delta.get(key)) for key in _REASONING_FIELDS)
        thought = next(filter(None, thoughts), "") or thought
        if thought:
            if not self.has_reasoning:
                self.markup.accept_text()
            self.has_reasoning = True
            yield Progress(reasoning=thought)
        # OpenAI's models say why they will not answer in a field of its own.
        said = said or joined_text(delta.get("refusal"))
        if said:
            yield from self._say(said)
        self._feed_calls(delta.get("tool_calls"))
        if isinstance(delta.get("function_call"), dict):
            self._calls.feed([{"index": 0, "function": delta["function_call"]}])

    def _say(self, said: str) -> Iterator[ChatPiece]:
        """Yield what of the text is of the reply, or a sign of life where none of it is."""
        text = self.markup.feed(said)
        self.has_text = self.has_text or bool(text.strip())
        if text:
            yield text
        elif self.markup.is_hiding:
            yield Progress()

    def _feed_calls(self, pieces: Any) -> None:
        listed = [pieces] if isinstance(pieces, dict) else pieces
        if listed is None or (isinstance(listed, list) and all(map(_is_call, listed))):
            self._calls.feed(listed)
        else:
            self._skip_part(pieces)

    def _skip_part(self, part: Any) -> None:
        self.skip(Malformed(repr(part)[:_SHOWN_CHARACTERS].encode()))

    def _take_end(self, end: str) -> None:
        self.end = end
        if end == "insufficient_system_resource":
            raise InstanceBusy(self._instance.name, f"the reply ended: {end}")
        if end in {"error", "network_error"}:
            raise InstanceFailed(self._instance.name, f"the reply ended: {end}")

    def _unreadable(self) -> InstanceFailed:
        shown = self._malformed[0][:_SHOWN_CHARACTERS]
        return InstanceFailed(self._instance.name, f"chunk was {shown!r}")


def _is_call(piece: Any) -> bool:
    return isinstance(piece, dict) and isinstance(piece.get("function") or {}, dict)

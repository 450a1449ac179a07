"""Chat replies of the OpenAI dialect: text, reasoning and tool calls out of chunks as servers send them.

Chunks may lack choices, delta or both; carry `message` in the place of `delta`, or content as a list of
parts; come malformed; have reasoning and tool calls in the text. What carries nothing adds nothing.
docs/providers/openai-http.md names the reports.
"""

from __future__ import annotations

import asyncio
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
from dispatcher.providers.llm.openai_chunks import (
    Delta,
    choice_of,
    delta_of,
    is_error,
    prompt_usage,
    read_delta,
)
from dispatcher.providers.llm.openai_tools import CallJoiner
from dispatcher.providers.refusals import FILTERED_ENDS, error_in_answer
from dispatcher.tools.model import ChatPiece, Progress, PromptUsage, Tool, ToolCall

# More than this is no fault of the line, but another dialect.
MAX_MALFORMED_CHUNKS: Final = 16
# Mistral's chat template refuses others.
CALL_ID_CHARACTERS: Final = 9
PROGRESS_INTERVAL_S: Final = 0.5
# Sentences after the first one wait for the speech of those before them, which takes seconds.
GATHER_INTERVAL_S: Final = 0.1
_SENTENCE_END: Final = re.compile(r"[.!?\u3002\uff01\uff1f](?:\s|$)|\n")
_SHOWN_CHARACTERS: Final = 200


async def read_reply(
    instance: Instance, response: aiohttp.ClientResponse, reader: DeltaReader
) -> AsyncGenerator[ChatPiece, None]:
    """Yield a reply as its bytes come, with a sign of life now and then while they bring no text.

    Raises:
        InstanceError: as in `DeltaReader`; also for a stream without any event, or with an endless one.
    """
    decoder = EventStreamDecoder()
    begun, has_events, yielded_at = b"", False, time.monotonic()
    has_sentence = False
    async for part in _parts(response, reader):
        begun = begun or part[:SHOWN_BYTES]
        for item in decoder.finish() if not part else decoder.feed(part):
            has_events = has_events or item != "comment"
            if item == "done":
                await let_end(response)
                return
            for piece in _pieces(reader, item):
                has_sentence = has_sentence or (isinstance(piece, str) and bool(_SENTENCE_END.search(piece)))
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
        if has_sentence:
            await _gather_more(response)
    if not has_events:
        raise InstanceFailed(instance.name, f"the stream held no event, it began with {begun!r}")


async def _parts(response: aiohttp.ClientResponse, reader: DeltaReader) -> AsyncIterator[bytes]:
    """Yield the bytes of a stream, none at its end; a break after the reply's end is no fault."""
    try:
        async for part in response.content.iter_any():
            if part:
                yield part
    except (aiohttp.ClientError, ConnectionError):
        if not reader.end:
            raise
    yield b""


async def _gather_more(response: aiohttp.ClientResponse) -> None:
    """Let what an instance writes in the next moment come in one read, where nobody waits for it.

    To be woken for each of the fifty chunks of a reply was most of what an LLM worker did.
    """
    connection = response.connection
    if connection is None or (transport := connection.transport) is None or transport.is_closing():
        return
    transport.pause_reading()
    try:
        await asyncio.sleep(GATHER_INTERVAL_S)
    finally:
        if not transport.is_closing():
            transport.resume_reading()


def _pieces(reader: DeltaReader, item: StreamItem) -> Iterator[ChatPiece]:
    if isinstance(item, Malformed):
        reader.unreadable.add(item)
    elif isinstance(item, dict):
        yield from reader.feed(item)


class UnreadableChunks:
    """What of a stream was no part of a reply: shown where nothing else came."""

    def __init__(self, instance: Instance) -> None:
        """Begin with a stream of which everything was read; `instance` answers for it."""
        self._instance = instance
        self._malformed: list[bytes] = []
        self._foreign = ""
        self._has_choices = False

    def add(self, part: Any) -> None:
        """Pass over data, or a part of a chunk, that cannot be read.

        Raises:
            InstanceFailed: it is too much of it.
        """
        data = part.data if isinstance(part, Malformed) else repr(part)[:_SHOWN_CHARACTERS].encode()
        self._malformed.append(data)
        if len(self._malformed) > MAX_MALFORMED_CHUNKS:
            raise self._malformed_error()

    def add_without_choice(self, chunk: dict[str, Any]) -> None:
        """Pass over a chunk without a choice to read: usage, an answer of another kind, an error.

        Raises:
            InstanceError: it is an error by another name, or one of too many unreadable ones.
        """
        self._has_choices = self._has_choices or "choices" in chunk
        if chunk.get("choices"):
            self.add(chunk)
        elif is_error(chunk):
            raise error_in_answer(self._instance, chunk)
        elif not self._has_choices:
            self._foreign = self._foreign or repr(chunk)[:_SHOWN_CHARACTERS]

    def mark_choice(self) -> None:
        """Mark the answer as a reply, whatever else comes."""
        self._has_choices = True

    def raise_if_any(self) -> None:
        """Raise InstanceFailed for what could not be read, where it stands in the place of a reply."""
        if self._malformed:
            raise self._malformed_error()
        if self._foreign and not self._has_choices:
            raise InstanceFailed(self._instance.name, f"the answer is no reply: {self._foreign}")

    def _malformed_error(self) -> InstanceFailed:
        return InstanceFailed(self._instance.name, f"chunk was {self._malformed[0][:_SHOWN_CHARACTERS]!r}")


class DeltaReader:
    """Reader of one reply.

    Eleven attributes and few methods: what a stream tells beside its text is asked for at its end.

    Attributes:
        has_text: some text of the reply came.
        has_reasoning: some reasoning came in a field of its own.
        end: why the reply ended, in the server's word; empty while it goes on.
        is_done: Ollama said that nothing more comes.
        prompt: its size, once the server has said it.
        markup: what the text holds beside the reply.
        unreadable: what of the stream was no part of a reply.
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
        self.prompt: PromptUsage | None = None
        self.markup = ReplyMarkup(starts_thinking=starts_thinking)
        self.unreadable = UnreadableChunks(instance)
        self._instance = instance
        self._tools = tools
        self._calls = CallJoiner(instance)
        self._has_deltas = False

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
        self.prompt = prompt_usage(chunk) or self.prompt
        if self.end and not chunk.get("choices"):
            return  # nothing that follows the end takes back what was said
        if chunk.get("error"):
            raise error_in_answer(self._instance, chunk["error"])
        self.is_done = chunk.get("done") is True
        choice = choice_of(chunk)
        if choice is None:
            self.unreadable.add_without_choice(chunk)
            return
        self.unreadable.mark_choice()
        yield from self._delta(read_delta(self._delta_or_message(choice)))
        end = choice.get("finish_reason") or choice.get("done_reason")
        if isinstance(end, str) and end:
            self._take_end(end)

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
            self.unreadable.raise_if_any()
        return [rest, *calls] if rest else [*calls]

    def _as_offered(self, call: ToolCall) -> ToolCall:
        tool = offered_tool(call.name, self._tools)
        return call if tool is None else replace(call, name=tool.name)

    def _delta_or_message(self, choice: dict[str, Any]) -> Any:
        """Return the delta of a choice, else its whole message; one after deltas repeats them."""
        delta = delta_of(choice)
        if isinstance(delta, dict) and delta:
            self._has_deltas = True
            return delta
        return None if self._has_deltas else choice.get("message")

    def _delta(self, delta: Delta) -> Iterator[ChatPiece]:
        """Yield the reasoning and the text of a delta, and take in its calls of tools."""
        for part in delta.unreadable:
            self.unreadable.add(part)
        if delta.reasoning:
            if not self.has_reasoning:
                self.markup.accept_text()
            self.has_reasoning = True
            yield Progress(reasoning=delta.reasoning)
        if delta.text:
            text = self.markup.feed(delta.text)
            self.has_text = self.has_text or bool(text.strip())
            if text:
                yield text
            elif self.markup.is_hiding:
                yield Progress()
        self._calls.feed(delta.calls)

    def _take_end(self, end: str) -> None:
        self.end = end
        if end == "insufficient_system_resource":
            raise InstanceBusy(self._instance.name, f"the reply ended: {end}")
        if end in {"error", "network_error"}:
            raise InstanceFailed(self._instance.name, f"the reply ended: {end}")

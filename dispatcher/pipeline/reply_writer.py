"""Reading of one instance's reply as it is written: emotion first, then sentence after sentence."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import structlog

from dispatcher.dialogue.emotion import EmotionTaker
from dispatcher.dialogue.repeats import RepeatFilter
from dispatcher.dialogue.reply_limits import MOST_UNSPOKEN
from dispatcher.dialogue.sentences import SentenceSplitter
from dispatcher.errors import EmptyReply, InstanceUnreachable
from dispatcher.messages import Language
from dispatcher.pipeline.attempt import Attempt, now
from dispatcher.pipeline.attempt_runner import LostHedge
from dispatcher.pipeline.reply_publisher import ReplyPublisher
from dispatcher.pipeline.stage import THINKING_STALL_TIMEOUT_S, without_stalls
from dispatcher.routing.router import Lease
from dispatcher.speech_text.block_stream import BlockStream
from dispatcher.tools.model import ChatPiece, Progress, PromptUsage, ToolCall

log = structlog.get_logger(__name__)

NO_SENTENCE: Final = "the model writes on without a sentence"
# Spoken where a reply shows a face and says nothing.
ASSENTS: Final = {"en": "Mm-hm.", "zh": "嗯嗯。"}


class SentenceStream:
    """From pieces of text to whole sentences, without emotion marks, blocks that are not spoken and repeats.

    Attributes:
        mood: emotion of the reply, once it was seen.
        has_text: anything but white space came.
        unspoken: characters since the last sentence that was spoken.
    """

    def __init__(self, language: Language, already_sent: str) -> None:
        """Begin; what a substitute repeats of the text that was already sent is left out."""
        self.mood: str | None = None
        self.has_text = False
        self.unspoken = 0
        self._emotion = EmotionTaker()
        self._blocks = BlockStream(language)
        self._repeats = RepeatFilter(already_sent)
        self._splitter = SentenceSplitter()

    def feed(self, piece: str) -> list[str]:
        """Return the sentences that a piece completes."""
        return self._take(*self._emotion.feed(piece))

    def finish(self) -> list[str]:
        """Return the sentences that are held back at the end of the text."""
        sentences = self._take(*self._emotion.finish())
        rest = self._repeats.feed(self._blocks.finish()) + self._repeats.finish()
        return sentences + self._splitter.feed(rest) + self._splitter.finish()

    def _take(self, mood: str | None, text: str) -> list[str]:
        self.mood = mood or self.mood
        self.has_text = self.has_text or bool(mood or text.strip())
        text = self._blocks.feed(text)
        self.unspoken += len(text)
        return self._splitter.feed(self._repeats.feed(text))


class ReplyWriter:
    """One attempt at a round of the reply."""

    def __init__(self, publisher: ReplyPublisher, attempt: Attempt, lease: Lease) -> None:
        """Begin to count the instance's times."""
        publisher.times.mark_asked(attempt.started_at)
        self._publisher = publisher
        self._attempt = attempt
        self._lease = lease
        self._text = SentenceStream(publisher.language, publisher.sent)
        self._text_at = now()
        self._reasoning: list[str] = []
        self._timings: dict[str, str | float] = {
            "llm_instance": lease.instance.name,
            "llm_wait_ms": round(lease.wait_ms, 1),
            **publisher.times.facts,
        }

    async def write(self, stream: AsyncGenerator[ChatPiece, None]) -> list[ToolCall]:
        """Read the whole stream; send each sentence once it is complete.

        Returns:
            The tools to call before the reply goes on; the reply is over where there are none.

        Raises:
            LostHedge: another attempt had its first sentence, or asked for a tool, earlier.
            EmptyReply: the stream held no text at all.
            InstanceUnreachable: it thought for longer than any reply is waited for.
        """
        publisher = self._publisher
        try:
            calls = await self._read(stream)
        finally:
            if not self._attempt.has_lost:
                publisher.liveness.stop_heartbeat()
        if publisher.ended_because and not self._attempt.has_won:
            raise LostHedge  # another attempt's reply was ended; that says nothing about this one
        if not publisher.ended_because:
            await self._send_each(self._text.finish())
        if calls and not publisher.ended_because:
            self._win()
            publisher.reasoning = "".join(self._reasoning)
            return calls
        await self._end()
        return []

    async def _end(self) -> None:
        publisher = self._publisher
        if not publisher.count:
            await self._send_assent()
        self._win()
        self._timings["llm_ms"] = self._elapsed_ms()
        because = publisher.ended_because
        if because:
            log.warning("reply ended early", instance=self._lease.instance.name, reason=because)
        publisher.send("end", index=publisher.count, text=because, timings=self._timings)

    async def _read(self, stream: AsyncGenerator[ChatPiece, None]) -> list[ToolCall]:
        """Read the stream, to its end or to that of the reply, and return the calls in it."""
        calls: list[ToolCall] = []
        async with aclosing(self._without_stalls(stream)) as pieces:
            async for piece in pieces:
                if isinstance(piece, PromptUsage):
                    self._note_prompt(piece)
                    continue
                self._mark_alive(is_thinking=isinstance(piece, Progress))
                if isinstance(piece, Progress):
                    self._reasoning.append(piece.reasoning)
                    continue
                self._timings.setdefault("llm_first_token_ms", self._elapsed_ms())
                if isinstance(piece, ToolCall):
                    calls.append(piece)
                else:
                    await self._take(piece)
                if self._publisher.ended_because:
                    break
        return calls

    def _note_prompt(self, prompt: PromptUsage) -> None:
        self._timings["llm_prompt_tokens"] = prompt.tokens
        if prompt.cached is not None:
            self._timings["llm_cached_tokens"] = prompt.cached
            self._lease.clock.cached_ratio = prompt.cached / prompt.tokens

    def _without_stalls(self, stream: AsyncGenerator[ChatPiece, None]) -> AsyncGenerator[ChatPiece, None]:
        if not self._publisher.may_wait_for_first_token:
            return without_stalls(self._lease, stream)
        self._mark_alive(is_thinking=True)
        return without_stalls(self._lease, stream, first_timeout_s=THINKING_STALL_TIMEOUT_S)

    def _mark_alive(self, *, is_thinking: bool) -> None:
        """Note a piece of the stream, or a sign of life without text, which is not waited for without end."""
        if not is_thinking:
            self._text_at = now()
        self._attempt.mark_alive(is_thinking=is_thinking)
        if not self._attempt.has_lost:
            self._publisher.liveness.mark_alive(is_thinking=is_thinking)
        longest_s = self._publisher.thinking_timeout_s
        if now() - self._text_at > longest_s:
            raise InstanceUnreachable(self._lease.instance.name, f"no text after {longest_s:g} s of thinking")

    async def _take(self, piece: str) -> None:
        await self._send_each(self._text.feed(piece))
        if self._text.unspoken > MOST_UNSPOKEN:
            if not self._attempt.has_won:
                raise EmptyReply(self._lease.instance.name, NO_SENTENCE)
            self._publisher.ended_because = self._publisher.ended_because or NO_SENTENCE

    async def _send_assent(self) -> None:
        """Show the face of a reply that is only an emoji or marks, with a sound of assent, never silence."""
        if not self._text.has_text:
            raise EmptyReply(self._lease.instance.name, "the reply is empty")
        await self._send_each([ASSENTS["zh" if self._publisher.language == "zh" else "en"]])

    async def _send_each(self, sentences: list[str]) -> None:
        # Its patterns are the LLM worker's (`WarmUp.run`); each worker imports this module.
        from dispatcher.speech_text.cleaner import clean  # noqa: PLC0415

        publisher = self._publisher
        for sentence in sentences:
            text = clean(sentence, language=publisher.language)
            if not text or publisher.ended_because:
                continue
            self._win()
            self._text.unspoken = 0
            if not publisher.check(text):
                continue
            self._timings.setdefault("llm_first_sentence_ms", self._elapsed_ms())
            if self._text.mood and not publisher.count:
                publisher.send("emotion", text=self._text.mood)
            if publisher.count:
                await publisher.wait_until_committed(self._attempt.mark_alive)
            await publisher.send_sentence(sentence, text, self._timings)

    def _win(self) -> None:
        """Be the one attempt that sends sentences, or that calls tools: both are done once."""
        if not self._attempt.try_win():
            raise LostHedge

    def _elapsed_ms(self) -> float:
        return self._publisher.times.elapsed_ms(self._attempt.started_at)

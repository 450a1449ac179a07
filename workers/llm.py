"""Queue `llm`: from the transcript to sentences, each sent to be spoken while the rest is written.

Where the LLM calls tools, their results go back to it and it writes on; each round is a race of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

import structlog

from dispatcher.dialogue.emotion import EmotionTaker
from dispatcher.dialogue.history import Message, chat_messages, continuation, well_formed
from dispatcher.dialogue.language import detect_language
from dispatcher.dialogue.local_time import with_local_time
from dispatcher.dialogue.memory_prompt import with_memory
from dispatcher.dialogue.persona import Character, character
from dispatcher.dialogue.repeats import RepeatFilter
from dispatcher.dialogue.reply_limits import MOST_UNSPOKEN
from dispatcher.dialogue.sentences import SentenceSplitter
from dispatcher.dialogue_store import memory, recent_history
from dispatcher.errors import EmptyReply, InstanceUnreachable
from dispatcher.messages import RESPOND, Language, TurnTicket
from dispatcher.pipeline.attempts import LostHedge, Runner
from dispatcher.pipeline.hedged_call import HedgedCall
from dispatcher.pipeline.speaker import Speaker
from dispatcher.pipeline.stage import run_stage, without_stalls
from dispatcher.pipeline.toolbox import Toolbox, chat, zone_now
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.routing.router import Lease, remaining_s
from dispatcher.speech_text import BlockStream, clean
from dispatcher.tools.model import ChatPiece, Progress, ToolCall
from workers.celery import app

log = structlog.get_logger(__name__)

NO_SENTENCE: Final = "the model writes on without a sentence"

# Spoken where a reply shows a face and says nothing.
ASSENTS: Final = {"en": "Mm-hm.", "zh": "嗯嗯。"}


@app.task(name=RESPOND)
def respond(payload: dict[str, Any]) -> None:
    """Stream the reply to the ticket's text; sentences go to the front and to the TTS queue."""
    ticket = TurnTicket.from_payload(payload)
    run_stage("llm", ticket, lambda shared: _respond(shared, ticket), is_thinking_allowed=True)


async def _respond(shared: WorkerContext, ticket: TurnTicket) -> None:
    async with asyncio.timeout(remaining_s(ticket.deadline_at_s)) as deadline:
        # What the user said is of no use to the voice.
        speaker = Speaker(shared, ticket.with_text("", ticket.language), deadline, language=_language(ticket))
        try:
            await _write(shared, ticket, speaker)
        finally:
            speaker.stop_heartbeat()


async def _write(shared: WorkerContext, ticket: TurnTicket, speaker: Speaker) -> None:
    """Write the reply, round by round."""
    rules = shared.catalogue.conversation
    who = character(rules, ticket.device_id, chosen=ticket.persona)
    history, toolbox, prompt = await asyncio.gather(
        recent_history.recall(shared.redis, ticket.device_id),
        Toolbox.opened(shared, ticket, timezone=who.timezone),
        _system_prompt(shared, ticket, who),
    )
    messages = chat_messages(prompt, history, ticket.text, max_tokens=rules.history_tokens)
    told = with_local_time(
        messages[-1].content, zone_now(who.timezone), language=speaker.language, place=who.place
    )
    messages[-1] = replace(messages[-1], content=told)
    while calls := await _write_round(shared, ticket, speaker, messages, toolbox):
        asked = Message(
            role="assistant",
            content=speaker.spoken,
            tool_calls=tuple(calls),
            reasoning=speaker.reasoning,
        )
        messages += [asked, *await toolbox.run(calls, deadline_at_s=speaker.ticket.deadline_at_s)]
        speaker.begin_round(tools=toolbox.called, tools_ms=toolbox.took_ms)


def _language(ticket: TurnTicket) -> Language:
    return detect_language(ticket.text) if ticket.language == "auto" else ticket.language


async def _write_round(
    shared: WorkerContext, ticket: TurnTicket, speaker: Speaker, messages: Sequence[Message], toolbox: Toolbox
) -> list[ToolCall]:
    """Have the reply written to its end, or to the calls that it asks for."""
    tools = toolbox.offered

    async def draft(runner: Runner, lease: Lease) -> list[ToolCall]:
        # A substitute goes on from what was spoken already.
        asked = well_formed([*messages, *continuation(speaker.spoken)])
        stream = chat(shared, lease.instance, asked, tools)
        return await Draft(speaker, runner, lease).write(stream)

    return await HedgedCall(shared, "llm", ticket, draft).run()


async def _system_prompt(shared: WorkerContext, ticket: TurnTicket, who: Character) -> str:
    """Return who the assistant is to the device, and what it remembers of its users."""
    if not shared.catalogue.conversation.memory.enabled:
        return who.system_prompt
    return with_memory(who.system_prompt, (await memory.read(shared.redis, ticket.device_id)).text)


class Draft:
    """One instance's reply as it is written: emotion first, then sentence after sentence."""

    def __init__(self, speaker: Speaker, runner: Runner, lease: Lease) -> None:
        """Begin to count the instance's times."""
        speaker.note_start(runner.started_at)
        self._speaker = speaker
        self._runner = runner
        self._lease = lease
        self._mood: str | None = None
        self._has_text = False
        self._reasoning: list[str] = []
        self._emotion = EmotionTaker()
        self._blocks = BlockStream(speaker.language)
        self._repeats = RepeatFilter(speaker.spoken)
        self._splitter = SentenceSplitter()
        self._text_at = time.monotonic()
        self._unspoken = 0
        self._timings: dict[str, str | float] = {
            "llm_instance": lease.instance.name,
            "llm_wait_ms": round(lease.wait_ms, 1),
            **speaker.facts,
        }

    async def write(self, stream: AsyncGenerator[ChatPiece, None]) -> list[ToolCall]:
        """Take in the whole stream; say each sentence once it is complete.

        Returns:
            The tools to call before the reply goes on; the reply is over where there are none.

        Raises:
            Outrun: another draft had its first sentence, or asked for a tool, earlier.
            EmptyReply: the stream held no text at all.
            InstanceUnreachable: it thought for longer than any reply is waited for.
        """
        try:
            calls = await self._read(stream)
        finally:
            if not self._runner.has_lost:
                self._speaker.stop_heartbeat()
        if self._speaker.ended_because and not self._runner.has_floor:
            raise LostHedge  # another draft's reply was ended; that says nothing about this one
        await self._finish()
        if calls and not self._speaker.ended_because:
            self._take_floor()
            self._speaker.reasoning = "".join(self._reasoning)
            return calls
        if not self._speaker.count:
            await self._say_without_words()
        self._take_floor()
        self._timings["llm_ms"] = self._elapsed_ms()
        because = self._speaker.ended_because
        if because:
            log.warning("reply ended early", instance=self._lease.instance.name, reason=because)
        self._speaker.tell("end", index=self._speaker.count, text=because, timings=self._timings)
        return []

    async def _read(self, stream: AsyncGenerator[ChatPiece, None]) -> list[ToolCall]:
        """Take in the stream, to its end or to that of the reply, and return the calls in it."""
        calls: list[ToolCall] = []
        async with aclosing(without_stalls(self._lease, stream)) as pieces:
            async for piece in pieces:
                self._mark_alive(is_thinking=isinstance(piece, Progress))
                if isinstance(piece, Progress):
                    self._reasoning.append(piece.reasoning)
                    continue
                self._timings.setdefault("llm_first_token_ms", self._elapsed_ms())
                if isinstance(piece, ToolCall):
                    calls.append(piece)
                else:
                    await self._take(*self._emotion.feed(piece))
                if self._speaker.ended_because:
                    break
        return calls

    async def _finish(self) -> None:
        """Say what is held back at the end of the stream."""
        if self._speaker.ended_because:
            return
        await self._take(*self._emotion.finish())
        rest = self._repeats.feed(self._blocks.finish()) + self._repeats.finish()
        for sentence in self._splitter.feed(rest) + self._splitter.finish():
            await self._say(sentence)

    def _mark_alive(self, *, is_thinking: bool) -> None:
        """Note a piece of the stream, or a sign of life without text, which is not waited for without end."""
        now = time.monotonic()
        if not is_thinking:
            self._text_at = now
        self._runner.mark_alive(is_thinking=is_thinking)
        if not self._runner.has_lost:
            self._speaker.mark_alive(is_thinking=is_thinking)
        longest_s = self._speaker.thinking_timeout_s
        if now - self._text_at > longest_s:
            raise InstanceUnreachable(self._lease.instance.name, f"no text after {longest_s:g} s of thinking")

    async def _say_without_words(self) -> None:
        """Show the face of a reply that is only an emoji or marks, with a sound of assent, never silence."""
        if not self._has_text:
            raise EmptyReply(self._lease.instance.name, "the reply is empty")
        language = self._speaker.language
        await self._say(ASSENTS["zh" if language == "zh" else "en"])

    async def _take(self, mood: str | None, text: str) -> None:
        self._mood = mood or self._mood
        self._has_text = self._has_text or bool(mood or text.strip())
        text = self._blocks.feed(text)
        self._unspoken += len(text)
        for sentence in self._splitter.feed(self._repeats.feed(text)):
            await self._say(sentence)
        if self._unspoken > MOST_UNSPOKEN:
            if not self._runner.has_floor:
                raise EmptyReply(self._lease.instance.name, NO_SENTENCE)
            self._speaker.ended_because = self._speaker.ended_because or NO_SENTENCE

    async def _say(self, sentence: str) -> None:
        text = clean(sentence, language=self._speaker.language)
        if not text or self._speaker.ended_because:
            return
        self._take_floor()
        self._unspoken = 0
        self._speaker.ended_because = self._speaker.limits.refusal(text)
        if self._speaker.ended_because:
            return
        self._timings.setdefault("llm_first_sentence_ms", self._elapsed_ms())
        if self._mood and not self._speaker.count:
            self._speaker.tell("emotion", text=self._mood)
        await self._speaker.say(sentence, text, self._timings)

    def _take_floor(self) -> None:
        """Be the one draft that speaks, or that calls tools: both are done once."""
        if not self._runner.take_floor():
            raise LostHedge

    def _elapsed_ms(self) -> float:
        return round(self._speaker.before_ms + (time.monotonic() - self._runner.started_at) * 1000, 1)

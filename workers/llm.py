"""Queue `llm`: from the transcript to sentences, each sent to be spoken while the rest is written.

Where the LLM calls tools, their results go back to it and it writes on; each round is a race of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final, Unpack

from dispatcher import chains
from dispatcher.contracts import RESPOND, Language, ReplyFields, ReplyKind, TurnTicket
from dispatcher.conversation.emotion import EmotionTaker
from dispatcher.conversation.history import Message, chat_messages
from dispatcher.conversation.language import detect_language
from dispatcher.conversation.persona import character
from dispatcher.conversation.remembering import with_memory
from dispatcher.conversation.sentences import SentenceSplitter
from dispatcher.conversation.tools import ChatPiece, Progress, ToolCall
from dispatcher.errors import EmptyReply
from dispatcher.router import Lease
from dispatcher.speech_text import BlockStream, clean
from dispatcher.state import dialogue, memory
from workers.call import reply, run_stage, without_stalls
from workers.celery import app
from workers.floor import Outrun, Runner
from workers.race import Race
from workers.runtime import Runtime
from workers.tools import Toolbox, chat

# Spoken where a reply shows a face and says nothing.
ASSENTS: Final = {"en": "Mm-hm.", "zh": "嗯嗯。"}


@app.task(name=RESPOND)
def respond(payload: dict[str, Any]) -> None:
    """Stream the reply to the ticket's text; sentences go to the front and to the TTS queue."""
    ticket = TurnTicket.from_payload(payload)
    run_stage("llm", ticket, lambda shared: _respond(shared, ticket))


async def _respond(shared: Runtime, ticket: TurnTicket) -> None:
    rules = shared.catalogue.conversation
    history, toolbox, prompt = await asyncio.gather(
        dialogue.recall(shared.line, ticket.device_id),
        Toolbox.opened(shared, ticket),
        _system_prompt(shared, ticket),
    )
    messages = chat_messages(prompt, history, ticket.text, max_tokens=rules.history_tokens)
    # What the user said is of no use to the voice.
    speaker = Speaker(shared, ticket.with_text("", ticket.language), language=_language(ticket))
    while calls := await _write_round(shared, ticket, speaker, messages, toolbox):
        asked = Message(
            role="assistant",
            content=speaker.spoken,
            tool_calls=tuple(calls),
            reasoning=speaker.reasoning,
        )
        messages += [asked, *await toolbox.run(calls)]
        speaker.begin_round(tools=toolbox.called, tools_ms=toolbox.took_ms)


def _language(ticket: TurnTicket) -> Language:
    return detect_language(ticket.text) if ticket.language == "auto" else ticket.language


async def _write_round(
    shared: Runtime, ticket: TurnTicket, speaker: Speaker, messages: Sequence[Message], toolbox: Toolbox
) -> list[ToolCall]:
    """Have the reply written to its end, or to the calls that it asks for."""
    tools = toolbox.offered

    async def draft(runner: Runner, lease: Lease) -> list[ToolCall]:
        # A substitute goes on from what was spoken already.
        spoken = [Message(role="assistant", content=speaker.spoken)] if speaker.spoken else []
        stream = chat(shared, lease.instance, [*messages, *spoken], tools)
        return await Draft(speaker, runner, lease).write(stream)

    return await Race(shared, "llm", ticket, draft).run()


async def _system_prompt(shared: Runtime, ticket: TurnTicket) -> str:
    """Return who the assistant is to the device, and what it remembers of its users."""
    rules = shared.catalogue.conversation
    who = character(rules, ticket.device_id, chosen=ticket.persona)
    if not rules.memory.enabled:
        return who.system_prompt
    return with_memory(who.system_prompt, (await memory.read(shared.line, ticket.device_id)).text)


class Speaker:
    """What of a reply was given away to be spoken.

    Attributes:
        spoken: all sentences of this round so far, as they were written.
        reasoning: what this round's calls came from, where the instance sent that.
        before_ms: how long the rounds before this one took, with their tools.
        facts: of the turn, for its summary.
        language: that the user speaks.
    """

    def __init__(self, shared: Runtime, ticket: TurnTicket, *, language: Language) -> None:
        """Start with nothing said."""
        self.language = language
        self.spoken = ""
        self.reasoning = ""
        self.count = 0
        self.before_ms = 0.0
        self.facts: dict[str, str | float] = {}
        self._shared = shared
        self._ticket = ticket
        self._began_at: float | None = None

    def note_start(self, started_at: float) -> None:
        """Note when an instance was first asked; its time counts from there through all rounds."""
        if self._began_at is None:
            self._began_at = started_at

    def begin_round(self, **facts: float) -> None:
        """Go on after tools were called."""
        self.spoken = ""
        self.facts |= facts
        self.before_ms = (time.monotonic() - (self._began_at or time.monotonic())) * 1000

    async def say(self, sentence: str, text: str, timings: dict[str, str | float]) -> None:
        """Show a sentence, and send its text to be spoken."""
        index = self.count
        self.count += 1
        self.spoken = f"{self.spoken} {sentence}".lstrip()
        self.tell("sentence", index=index, text=text, timings=None if index else timings)
        await chains.synthesize(self._shared.line, self._ticket, index=index, text=text)

    def tell(self, kind: ReplyKind, **fields: Unpack[ReplyFields]) -> None:
        """Reply to the front."""
        reply(self._shared, self._ticket, kind, **fields)


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
        self._splitter = SentenceSplitter()
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
        """
        calls: list[ToolCall] = []
        async with aclosing(without_stalls(self._lease, stream)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Progress):
                    self._reasoning.append(piece.reasoning)
                    continue
                self._timings.setdefault("llm_first_token_ms", self._elapsed_ms())
                if isinstance(piece, ToolCall):
                    calls.append(piece)
                else:
                    await self._take(*self._emotion.feed(piece))
        await self._take(*self._emotion.finish())
        for sentence in self._splitter.feed(self._blocks.finish()) + self._splitter.finish():
            await self._say(sentence)
        if calls:
            self._take_floor()
            self._speaker.reasoning = "".join(self._reasoning)
            return calls
        if not self._speaker.count:
            await self._say_without_words()
        self._take_floor()
        self._timings["llm_ms"] = self._elapsed_ms()
        self._speaker.tell("end", index=self._speaker.count, timings=self._timings)
        return []

    async def _say_without_words(self) -> None:
        """Show the face of a reply that is only an emoji or marks, with a sound of assent, never silence."""
        if not self._has_text:
            raise EmptyReply(self._lease.instance.name, "the reply is empty")
        language = self._speaker.language
        await self._say(ASSENTS["zh" if language == "zh" else "en"])

    async def _take(self, mood: str | None, text: str) -> None:
        self._mood = mood or self._mood
        self._has_text = self._has_text or bool(mood or text.strip())
        for sentence in self._splitter.feed(self._blocks.feed(text)):
            await self._say(sentence)

    async def _say(self, sentence: str) -> None:
        text = clean(sentence, language=self._speaker.language)
        if not text:
            return
        self._take_floor()
        self._timings.setdefault("llm_first_sentence_ms", self._elapsed_ms())
        if self._mood and not self._speaker.count:
            self._speaker.tell("emotion", text=self._mood)
        await self._speaker.say(sentence, text, self._timings)

    def _take_floor(self) -> None:
        """Be the one draft that speaks, or that calls tools: both are done once."""
        if not self._runner.take_floor():
            raise Outrun

    def _elapsed_ms(self) -> float:
        return round(self._speaker.before_ms + (time.monotonic() - self._runner.started_at) * 1000, 1)

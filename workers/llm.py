"""Queue `llm`: from the transcript to sentences, each sent to be spoken while the rest is written."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Unpack

from dispatcher import chains
from dispatcher.contracts import RESPOND, ReplyFields, ReplyKind, TurnTicket
from dispatcher.conversation.emotion import EmotionTaker
from dispatcher.conversation.history import Message, chat_messages
from dispatcher.conversation.sentences import SentenceSplitter
from dispatcher.conversation.speakable import speakable
from dispatcher.conversation.tools import ToolCall
from dispatcher.errors import InstanceFailed
from dispatcher.router import Lease
from dispatcher.state import dialogue
from workers.call import reply, run_stage, without_stalls
from workers.celery import app
from workers.race import Outrun, Race, Runner
from workers.runtime import Runtime


@app.task(name=RESPOND)
def respond(payload: dict[str, Any]) -> None:
    """Stream the reply to the ticket's text; sentences go to the front and to the TTS queue."""
    ticket = TurnTicket.from_payload(payload)
    run_stage("llm", ticket, lambda shared: _respond(shared, ticket))


async def _respond(shared: Runtime, ticket: TurnTicket) -> None:
    rules = shared.catalogue.conversation
    history = await dialogue.recall(shared.line, ticket.device_id)
    opening = chat_messages(rules.system_prompt, history, ticket.text, max_tokens=rules.history_tokens)
    # What the user said is of no use to the voice.
    speaker = Speaker(shared, ticket.with_text("", ticket.language))

    async def draft(runner: Runner, lease: Lease) -> None:
        # A substitute goes on from what was spoken already.
        spoken = [Message(role="assistant", content=speaker.spoken)] if speaker.spoken else []
        stream = shared.providers.llm(lease.instance).chat(lease.instance, [*opening, *spoken])
        await Draft(speaker, runner, lease).write(stream)

    await Race(shared, "llm", ticket, draft).run()


class Speaker:
    """What of a reply was given away to be spoken.

    Attributes:
        spoken: all sentences so far, as they were written.
    """

    def __init__(self, shared: Runtime, ticket: TurnTicket) -> None:
        """Start with nothing said."""
        self.spoken = ""
        self.count = 0
        self._shared = shared
        self._ticket = ticket

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
        self._speaker = speaker
        self._runner = runner
        self._lease = lease
        self._mood: str | None = None
        self._emotion = EmotionTaker()
        self._splitter = SentenceSplitter()
        self._timings: dict[str, str | float] = {
            "llm_instance": lease.instance.name,
            "llm_wait_ms": round(lease.wait_ms, 1),
        }

    async def write(self, stream: AsyncGenerator[str | ToolCall, None]) -> None:
        """Take in the whole stream; say each sentence once it is complete.

        Raises:
            Outrun: another draft had its first sentence earlier.
            InstanceFailed: the stream held nothing that can be spoken.
        """
        async with aclosing(without_stalls(self._lease, stream)) as pieces:
            async for piece in pieces:
                self._timings.setdefault("llm_first_token_ms", self._elapsed_ms())
                if isinstance(piece, str):
                    await self._take(*self._emotion.feed(piece))
        await self._take(*self._emotion.finish())
        for sentence in self._splitter.finish():
            await self._say(sentence)
        if not self._speaker.count:
            raise InstanceFailed(self._lease.instance.name, "the reply is empty")
        self._timings["llm_ms"] = self._elapsed_ms()
        self._speaker.tell("end", index=self._speaker.count, timings=self._timings)

    async def _take(self, mood: str | None, text: str) -> None:
        self._mood = mood or self._mood
        for sentence in self._splitter.feed(text):
            await self._say(sentence)

    async def _say(self, sentence: str) -> None:
        text = speakable(sentence)
        if not text:
            return
        if not self._runner.take_floor():
            raise Outrun
        self._timings.setdefault("llm_first_sentence_ms", self._elapsed_ms())
        if self._mood and not self._speaker.count:
            self._speaker.tell("emotion", text=self._mood)
        await self._speaker.say(sentence, text, self._timings)

    def _elapsed_ms(self) -> float:
        return round((time.monotonic() - self._runner.started_at) * 1000, 1)

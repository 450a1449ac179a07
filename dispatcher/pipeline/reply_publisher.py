"""Publishing of a reply: its sentences to the TTS queue, everything else to the front."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Unpack

from dispatcher import chains
from dispatcher.dialogue.history import Message
from dispatcher.dialogue.reply_limits import ReplyLimits, spoken_s
from dispatcher.messages import Keep, Language, ReplyFields, ReplyKind, TurnTicket
from dispatcher.pipeline.attempt import now
from dispatcher.pipeline.liveness import Liveness
from dispatcher.pipeline.phrase_speech import find_phrase, played
from dispatcher.pipeline.stage import reply
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.tools.model import ToolCall
from dispatcher.turn_store.commitment import COMMIT_POLL_INTERVAL_S, read_commitment


class ReplyPublisher:
    """The reply of a turn as it was sent so far, by whichever attempts of its rounds have won.

    Attributes:
        language: that the user speaks.
        sent: the sentences of this round so far, as they were written.
        count: sentences of all rounds.
        reasoning: thoughts behind this round's calls, where the instance sent them.
        ended_because: why the reply was ended though its model goes on; empty while it was not.
        liveness: of the streams, with the deadline.
        times: of the turn, for its summary.
    """

    def __init__(
        self, context: WorkerContext, ticket: TurnTicket, deadline: asyncio.Timeout, *, language: Language
    ) -> None:
        """Start with what an earlier sending of the turn sent; `deadline` is moved on by thinking."""
        rules = context.catalogue.conversation
        self.language = language
        self.sent = ticket.spoken
        self.count = ticket.spoken_count
        self.reasoning = ""
        self.ended_because = ""
        self.liveness = Liveness(
            lambda: self.send("alive"),
            deadline,
            deadline_at_s=ticket.deadline_at_s,
            thinking_timeout_s=rules.thinking_timeout_s,
        )
        self.times = ReplyTimes()
        self._context = context
        # The user's words are of no use to the voice.
        self._ticket = ticket.with_text("", ticket.language)
        self._limits = ReplyLimits(rules.max_reply_s)
        if ticket.spoken:
            self._limits.refusal(ticket.spoken)

    @property
    def thinking_timeout_s(self) -> float:
        """How long a stream may live without text."""
        return self._context.catalogue.conversation.thinking_timeout_s

    @property
    def may_wait_for_first_token(self) -> bool:
        """Whether a silent instance gets the time of one that thinks: there is no other to go to.

        A model on a small CPU reads a long prompt, or its own weights, for longer than a stream may stall.
        """
        return len(self._context.catalogue.services["llm"].instances) == 1

    def begin_round(self, **facts: float) -> None:
        """Go on after tools were called."""
        self.sent = ""
        self.times.begin_round(**facts)

    def as_message(self, calls: Sequence[ToolCall]) -> Message:
        """Return this round as the LLM's own message, with the calls that it asked for."""
        return Message(role="assistant", content=self.sent, tool_calls=tuple(calls), reasoning=self.reasoning)

    def check(self, text: str) -> bool:
        """Return whether one more sentence may be sent; a reply that is too long or a loop is ended."""
        self.ended_because = self.ended_because or self._limits.refusal(text)
        return not self.ended_because

    async def wait_until_committed(self, on_wait: Callable[[], object] | None = None) -> None:
        """Return once this is no speculation, of which one sentence may be spoken and no tool called.

        Args:
            on_wait: called before each pause.

        Raises:
            StateError: Redis is out of reach.
        """
        ticket = self._ticket
        if not ticket.speculative:
            return
        while not await read_commitment(self._context.redis, ticket.turn_id):
            if on_wait is not None:
                on_wait()
            await asyncio.sleep(COMMIT_POLL_INTERVAL_S)
        self._ticket = replace(ticket, speculative=False)

    async def send_sentence(self, sentence: str, text: str, timings: dict[str, str | float]) -> None:
        """Have a sentence shown as it is cleaned, and spoken.

        Raises:
            StateError: Redis is out of reach.
        """
        index = self.count
        self.count += 1
        self.sent = f"{self.sent} {sentence}".lstrip()
        self.send("sentence", index=index, text=text, timings=None if index else timings)
        ticket = replace(self._ticket, deadline_at_s=self.liveness.deadline_at_s)
        # When the sentences before it are played, as far as their text tells.
        due_at_s = self.times.plays_until_s or None
        self.times.note_spoken(text)
        keep: Keep = ""
        if self._context.catalogue.phrase_cache.is_on:
            found = await find_phrase(self._context, ticket, text, keep="sentence")
            if found.finding == "hit":
                self.send("audio", **played(found, index))
                return
            keep = "sentence" if found.finding == "keep" else ""
        await chains.synthesize(
            self._context.redis, ticket, index=index, text=text, keep=keep, due_at_s=due_at_s
        )

    def send(self, kind: ReplyKind, **fields: Unpack[ReplyFields]) -> None:
        """Reply to the front."""
        self.liveness.mark_sent()
        reply(self._context, self._ticket, kind, **fields)


class ReplyTimes:
    """Time that the rounds of a reply took, with their tools.

    Attributes:
        facts: what the turn's summary says of earlier rounds.
        plays_until_s: Unix time at which the sentences so far are played; 0 before the first.
    """

    def __init__(self) -> None:
        """Begin with the first instance that is asked."""
        self.facts: dict[str, str | float] = {}
        self.plays_until_s = 0.0
        self._began_at: float | None = None
        self._before_s = 0.0

    def mark_asked(self, started_at: float) -> None:
        """Note when an instance was asked; the time of all rounds counts from the first one."""
        if self._began_at is None:
            self._began_at = started_at

    def note_spoken(self, text: str) -> None:
        """Count the time that a sentence takes to be played, as far as its text tells."""
        self.plays_until_s = max(self.plays_until_s, time.time()) + spoken_s(text)

    def begin_round(self, **facts: float) -> None:
        """Go on after tools were called."""
        self.facts |= facts
        self._before_s = now() - (now() if self._began_at is None else self._began_at)

    def elapsed_ms(self, started_at: float) -> float:
        """Return the time of the rounds before this one and of an attempt that was started in it."""
        return round((self._before_s + now() - started_at) * 1000, 1)

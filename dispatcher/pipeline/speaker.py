"""What of a reply is given away to be spoken, and what the front is told of it meanwhile."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Final, Unpack

from dispatcher import chains
from dispatcher.dialogue.reply_limits import ReplyLimits
from dispatcher.messages import Language, ReplyFields, ReplyKind, TurnTicket
from dispatcher.pipeline.stage import reply
from dispatcher.pipeline.worker_context import WorkerContext

# The front waits for a stage for two seconds at least.
ALIVE_EVERY_S: Final = 1.0


class Speaker:
    """What of a reply was given away to be spoken, and what the front is told of it.

    Attributes:
        spoken: all sentences of this round so far, as they were written.
        reasoning: what this round's calls came from, where the instance sent that.
        before_ms: how long the rounds before this one took, with their tools.
        facts: of the turn, for its summary.
        language: that the user speaks.
        ended_because: why the reply was ended though its model goes on; empty while it was not.
        ticket: of the turn, with a deadline that the time of thinking moved on.
        thinking_timeout_s: how long a stream may live without text.
    """

    def __init__(
        self, shared: WorkerContext, ticket: TurnTicket, deadline: asyncio.Timeout, *, language: Language
    ) -> None:
        """Start with what an earlier sending of the turn gave away; `deadline` is moved on by thinking."""
        rules = shared.catalogue.conversation
        self.language = language
        self.spoken = ticket.spoken
        self.reasoning = ""
        self.count = ticket.spoken_count
        self.before_ms = 0.0
        self.facts: dict[str, str | float] = {}
        self.ended_because = ""
        self.ticket = ticket
        self.limits = ReplyLimits(rules.max_reply_s)
        if ticket.spoken:
            self.limits.refusal(ticket.spoken)
        self._shared = shared
        self._deadline = deadline
        self._began_at: float | None = None
        self.thinking_timeout_s = rules.thinking_timeout_s
        self._thinking = _Thinking(rules.thinking_timeout_s)
        self._told_at = time.monotonic()
        self._heartbeat: asyncio.TimerHandle | None = None

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
        await chains.synthesize(self._shared.redis, self.ticket, index=index, text=text)

    def tell(self, kind: ReplyKind, **fields: Unpack[ReplyFields]) -> None:
        """Reply to the front."""
        self._told_at = time.monotonic()
        reply(self._shared, self.ticket, kind, **fields)

    def mark_alive(self, *, is_thinking: bool) -> None:
        """Let the front know about once a second that a stream lives, and take thinking off the clock."""
        gained_s = self._thinking.note(time.monotonic(), is_thinking=is_thinking)
        if gained_s > 0:
            self.ticket = replace(self.ticket, deadline_at_s=self.ticket.deadline_at_s + gained_s)
            when = self._deadline.when()
            self._deadline.reschedule(None if when is None else when + gained_s)
        if time.monotonic() - self._told_at >= ALIVE_EVERY_S:
            self.tell("alive")
        if is_thinking and self._heartbeat is None:
            self._heartbeat = asyncio.get_running_loop().call_later(ALIVE_EVERY_S, self._beat)
        elif not is_thinking:
            self.stop_heartbeat()

    def stop_heartbeat(self) -> None:
        """Vouch for no stream any more."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None

    def _beat(self) -> None:
        """Vouch for a stream between its signs of life, which may be ten seconds apart."""
        self._heartbeat = None
        self.mark_alive(is_thinking=True)


class _Thinking:
    """Time that instances spent thinking, which no deadline counts."""

    def __init__(self, longest_s: float) -> None:
        self._left_s = longest_s
        self._since_at: float | None = None

    def note(self, now: float, *, is_thinking: bool) -> float:
        """Return how much of the time since the last note was spent thinking, within what is left of it."""
        gained_s = 0.0 if self._since_at is None else min(now - self._since_at, self._left_s)
        self._left_s -= gained_s
        self._since_at = now if is_thinking else None
        return gained_s

"""Tasks of one turn in the queues: its first sending, later ones, a tool of the device, its end."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import structlog

from dispatcher import chains
from dispatcher.audio import packets
from dispatcher.dialogue.filler import FILLER_INDEX
from dispatcher.dialogue.steps import AskForFiller, SendAgain
from dispatcher.errors import StateError
from dispatcher.front.connection.device_tool_client import DeviceToolClient, answer_call
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.speculative_turn import SpeculativeTurn
from dispatcher.front.connection.streaming_utterance import StreamingUtterance
from dispatcher.front.connection.turn_phrases import TurnPhrases
from dispatcher.messages import Reply, TurnTicket
from dispatcher.redis_client import keys

log = structlog.get_logger(__name__)

BegunUtterance: TypeAlias = StreamingUtterance | SpeculativeTurn


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What the user said: packets, or typed text in the ticket.

    Attributes:
        device_name: what an operator calls the device; empty where nobody named it.
        phrase: the whole reply where it is known already, such as a greeting.
        begun: its packets were streamed while they were spoken, and an ASR task has them already; or its
            tasks were sent at the pause that was its end.
        tools: those of the device, the only ones that its turn can call.
        silence_ms: that ended it, where the device did not.
    """

    ticket: TurnTicket
    device_name: str = ""
    recording: tuple[bytes, ...] = ()
    phrase: str = ""
    begun: BegunUtterance | None = None
    tools: DeviceToolClient | None = None
    silence_ms: int = 0


class TurnTasks:
    """Sender of the tasks of one turn.

    Attributes:
        ticket: of the first sending.
        phrases: that need no LLM.
        is_tool_done: a tool of the device did what was asked for.
    """

    def __init__(
        self,
        context: FrontContext,
        utterance: Utterance,
        on_failure: Callable[[str], None],
        on_reply: Callable[[Reply], None],
    ) -> None:
        """Send nothing yet.

        Args:
            context: of the front.
            utterance: what the user said.
            on_failure: called where the broker is unreachable or flooded.
            on_reply: takes speech that no task has to make.
        """
        self.ticket = utterance.ticket
        self.phrases = TurnPhrases(context, utterance.ticket, on_reply)
        self.is_tool_done = False
        self._context = context
        self._utterance = utterance
        self._on_failure = on_failure
        self._on_reply = on_reply
        self._is_cancelled = False
        self._wall_clock_lead_s = _wall_clock_lead_s()

    def start(self) -> None:
        """Send the first task: that of a phrase, of the ASR stage, of the LLM stage where the text is known.

        Those of a speculation are at work already: what came of them by now is taken in.
        """
        if self._utterance.phrase:
            self._context.spawn(self._send(self.phrases.speak(self.ticket, 0, self._utterance.phrase)))
            return
        if not isinstance(self._utterance.begun, SpeculativeTurn):
            self._context.spawn(self._start())
            return
        try:
            kept = self._utterance.begun.commit()
        except StateError as error:
            self._on_failure(str(error))
            return
        for reply in kept:
            self._on_reply(reply)

    def send_step(self, step: SendAgain | AskForFiller, *, said: str, alive_s: float) -> None:
        """Have a stage done again that is late, broke off or was lost with its worker, or a filler spoken.

        Args:
            step: what is to be sent.
            said: what the user said; the ASR stage is sent its audio instead.
            alive_s: how long the LLM was known to be thinking.
        """
        ticket = self._resent(step.attempt, alive_s)
        if isinstance(step, SendAgain):
            self._send_again(step, ticket, said)
        elif phrase := self.phrases.choose_filler(said=said):
            self._context.spawn(self.phrases.speak(ticket, FILLER_INDEX, phrase))

    def _send_again(self, late: SendAgain, ticket: TurnTicket, said: str) -> None:
        event = "stage lost with its worker, sent again" if late.is_lost else "stage late, sent again"
        # That of a speculation had no spare slot, or lost it to a real call.
        is_usual = late.is_lost and isinstance(self._utterance.begun, SpeculativeTurn)
        write = log.debug if is_usual else log.warning
        write(event, turn=self.ticket.turn_id, stage=late.stage, attempt=late.attempt)
        if late.stage == "tts":
            tts = chains.synthesize(self._context.redis, ticket, index=late.index, text=late.text)
            self._context.spawn(tts)
            return
        text = said if late.stage == "llm" else ""
        # Whatever became of what was sent before its end: this time the whole of it goes the common way.
        stores_audio = self._utterance.begun is not None and not text
        ticket = replace(ticket, text=text, spoken=late.text, spoken_count=late.index)
        self._context.spawn(self._start_turn(ticket, stores_audio=stores_audio))

    async def call_tool(self, request: str, on_ended: Callable[[float], None]) -> None:
        """Have the device do what a worker asks; `on_ended` gets the time at which that is over."""
        is_done = await answer_call(self._context.redis, self._utterance.tools, request)
        self.is_tool_done = self.is_tool_done if is_done is None else is_done
        on_ended(self._context.pacer.now())

    def cancel(self) -> None:
        """Drop what is queued or at work for the turn."""
        self._is_cancelled = True
        if self._utterance.begun is not None:
            self._utterance.begun.release()
        self._context.cancel_tasks(self.ticket.turn_id)

    def remove_audio(self) -> None:
        """Remove the utterance from the cache; errors as in `RedisClient.send_nowait`."""
        turn_id = self.ticket.turn_id
        self._context.cache_redis.send_nowait("UNLINK", keys.claim(turn_id), keys.utterance(turn_id))

    async def _start(self) -> None:
        if self._utterance.tools is not None:
            self.ticket = replace(self.ticket, tool_list=await self._utterance.tools.list_name())
        if self._is_cancelled:
            return
        if isinstance(self._utterance.begun, StreamingUtterance):
            self._utterance.begun.finish(self.ticket)
        else:
            await self._send(self._start_turn(self.ticket, stores_audio=not self.ticket.text))

    async def _send(self, sending: Awaitable[int]) -> None:
        if refusal := await self._context.send_task(sending):
            self._on_failure(refusal)

    async def _start_turn(self, ticket: TurnTicket, *, stores_audio: bool) -> int:
        if not stores_audio:
            return await chains.start_turn(self._context.redis, ticket)
        packed = packets.pack(self._utterance.recording)
        return await chains.start_recorded(self._context.redis, self._context.cache_redis, ticket, packed)

    def _resent(self, attempt: int, alive_s: float) -> TurnTicket:
        """Return the ticket of another sending; the time that the LLM spent thinking does not count.

        A deadline is told by the wall clock. Where that was set since, the turn has not got older by it.
        """
        deadline_at_s = self.ticket.deadline_at_s + alive_s + _wall_clock_lead_s() - self._wall_clock_lead_s
        return replace(self.ticket, attempt=attempt, deadline_at_s=deadline_at_s)


def _wall_clock_lead_s() -> float:
    return time.time() - time.monotonic()

"""Speculative turns: a turn begins at a pause, on spare slots, and counts once that was the end of speech.

Until it is committed its replies are kept here, and its workers call no tool and speak one sentence alone.
Then its runner takes them in as though they had just come. Speech that goes on drops it as a barge-in would.
What of it had no slot to spare, or lost its slot to a real call, is sent again by the turn as a real call.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from dispatcher import chains
from dispatcher.audio import packets
from dispatcher.front.connection.device_profile import DeviceProfile
from dispatcher.front.connection.device_tool_client import DeviceToolClient
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.microphone import Microphone
from dispatcher.messages import Reply, TurnTicket
from dispatcher.routing.rules.speculation import has_spare_slots, next_step
from dispatcher.telemetry import speculation_figures
from dispatcher.turn_store import commitment

# A sentence has far fewer; what sends more is not kept.
MOST_REPLIES: Final = 500


class SpeculativeTurn:
    """One turn whose utterance may not be over.

    Attributes:
        ticket: its tasks were sent with it.
        voice_ms: speech in the utterance when it began.
        is_useless: nothing was said in it, or it was dropped.
        began_at: by the clock that paces replies; `opened_at_s` is the same as Unix time.
    """

    def __init__(self, context: FrontContext, ticket: TurnTicket, voice_ms: int) -> None:
        """Take in its replies from now on."""
        self.ticket = ticket
        self.voice_ms = voice_ms
        self.is_useless = False
        self.began_at, self.opened_at_s = context.pacer.now(), time.time()
        self._context = context
        self._replies: list[Reply] = []
        context.turns.utterances[ticket.turn_id] = self

    @property
    def has_wasted(self) -> bool:
        """Whether an LLM was asked in vain: its answer is not wanted, or it has to be asked again."""
        is_asked = any(reply.kind == "transcript" and reply.text for reply in self._replies)
        is_lost = any(reply.kind == "lost" and reply.text == "llm" for reply in self._replies)
        return is_lost or (is_asked and self.is_useless)

    def start(self, recording: list[bytes], tools: DeviceToolClient | None) -> None:
        """Send the first task, with what was said so far."""
        self._context.spawn(self._send(packets.pack(recording), tools))

    def on_reply(self, reply: Reply) -> None:
        """Keep a reply; of an utterance without words nothing is left to do."""
        self._replies.append(reply)
        if (reply.kind == "transcript" and not reply.text) or len(self._replies) > MOST_REPLIES:
            self.discard()

    def commit(self) -> list[Reply]:
        """Let its workers go on, leave further replies to its turn, and return those that came.

        Raises:
            StateError: too many commands wait for Redis already.
        """
        self.release()
        commitment.commit(self._context.redis, self.ticket.turn_id)
        return self._replies

    def discard(self) -> None:
        """Drop it at every stage."""
        if self.is_useless:
            return
        self.is_useless = True
        self.release()
        self._context.cancel_tasks(self.ticket.turn_id)

    def release(self) -> None:
        """Leave replies to the turn that it became, or to nobody."""
        self._context.turns.utterances.pop(self.ticket.turn_id, None)

    async def _send(self, packed: bytes, tools: DeviceToolClient | None) -> None:
        if tools is not None:
            self.ticket = replace(self.ticket, tool_list=await tools.list_name())
        if self.is_useless:
            return
        context = self._context
        sending = chains.start_recorded(context.redis, context.cache_redis, self.ticket, packed)
        if await context.send_task(sending):
            # By then it may be a turn, which sends it again.
            lost = Reply(turn_id=self.ticket.turn_id, attempt=1, kind="lost", text="asr", last=True)
            context.turns.route(lost)


class Speculations:
    """Speculative turns of one connection, one at a time."""

    def __init__(self, context: FrontContext, profile: DeviceProfile) -> None:
        """Begin none yet."""
        self._context = context
        self._profile = profile
        self._turn: SpeculativeTurn | None = None
        self._begun_at_ms: int | None = None

    async def follow(self, microphone: Microphone, tools: DeviceToolClient | None) -> bool:
        """Begin a turn at a pause, or drop it where speech goes on; return whether one was begun."""
        rules = self._context.catalogue.conversation.speculation
        voice_ms, quiet_ms = microphone.heard_ms
        step = next_step(
            voice_ms=voice_ms,
            quiet_ms=quiet_ms,
            pause_ms=rules.pause_ms,
            begun_at_ms=self._begun_at_ms,
            runs=self._turn is not None,
        )
        if step == "drop":
            self.discard()
        if step != "start":
            return False
        self._begun_at_ms = voice_ms
        is_refused = self._profile.refusal(await self._profile.registered())
        if is_refused or not self._may_start():
            return False
        timeout_s = self._context.catalogue.conversation.turn_timeout_s
        ticket = await self._profile.new_ticket(microphone.params, timeout_s=timeout_s)
        self._turn = SpeculativeTurn(self._context, replace(ticket, speculative=True), voice_ms)
        self._turn.start(microphone.recorded(), tools)
        _count(self._context, "started")
        _count(self._context, "calls", self._context.waste_budget.take_noted())
        return True

    def take(self, microphone: Microphone) -> SpeculativeTurn | None:
        """Hand over the turn under way where its utterance is the one that ended just now."""
        taken = self._turn
        if taken is None or taken.is_useless or taken.voice_ms != microphone.heard_ms[0]:
            self.discard()
            return None
        self._turn = self._begun_at_ms = None
        _count(self._context, "committed")
        self._settle(taken)
        return taken

    def discard(self) -> None:
        """Drop the turn under way, if there is one, and begin anew."""
        turn, self._turn, self._begun_at_ms = self._turn, None, None
        if turn is not None:
            turn.discard()
            self._settle(turn)

    def _may_start(self) -> bool:
        context = self._context
        services = context.catalogue.services.values()
        is_paid = context.catalogue.conversation.speculation.paid
        return (
            context.ladder.allows_extras
            and not context.status.draining
            and (is_paid or all(len(each.paid) < len(each.instances) for each in services))
            and has_spare_slots(context.loads.current)
            and context.waste_budget.try_spend()
        )

    def _settle(self, turn: SpeculativeTurn) -> None:
        """Pay the price back unless an LLM was asked in vain."""
        if turn.has_wasted:
            _count(self._context, "wasted")
        else:
            self._context.waste_budget.pay_back()


def note_llm_call(context: FrontContext) -> None:
    """Count a turn that an LLM was asked in; for so many a share may be wasted."""
    rules = context.catalogue.conversation.speculation
    if rules.enabled:
        context.waste_budget.note_call(rules.waste_budget)


def _count(context: FrontContext, figure: speculation_figures.Figure, number: int = 1) -> None:
    context.spawn(speculation_figures.count(context.redis, figure, number))

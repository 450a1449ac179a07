"""Request that an LLM reads the beginning of a device's next prompt, while its user begins to speak."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from dispatcher import chains
from dispatcher.front.connection.device_profile import DeviceProfile
from dispatcher.front.connection.device_tool_client import DeviceToolClient
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.protocol import AudioParams
from dispatcher.messages import TurnTicket

# Nobody speaks for longer; what is not read by then is read in the turn.
PREFILL_TIMEOUT_S: Final = 30.0


class PrefillRequests:
    """Requests of one connection, one at a time."""

    def __init__(self, context: FrontContext, profile: DeviceProfile) -> None:
        """Request nothing yet."""
        self._context = context
        self._profile = profile
        self._ticket: TurnTicket | None = None
        self._warm_at_s = -math.inf

    async def send(self, tools: DeviceToolClient | None, audio: AudioParams) -> None:
        """Have the prompt read, unless that is of no use, or the dialogue has just gone on."""
        rests_s = self._context.pacer.now() - self._warm_at_s
        is_warm = rests_s < self._context.catalogue.conversation.prefill.idle_s
        is_wanted = not is_warm and self._context.ladder.allows_extras
        if self._ticket is not None or not is_wanted or not self._is_useful():
            return
        ticket = await self._profile.new_ticket(audio, timeout_s=PREFILL_TIMEOUT_S)
        self._ticket = ticket
        self._context.spawn(self._send(ticket, tools))

    def end(self) -> None:
        """Drop what is still read: the turn itself comes, and goes on from there."""
        self.mark_warm()
        if self._ticket is None:
            return
        self._context.cancel_tasks(self._ticket.turn_id)
        self._ticket = None

    def mark_warm(self) -> None:
        """Note that an LLM has read the prompt just now."""
        self._warm_at_s = self._context.pacer.now()

    def _is_useful(self) -> bool:
        llm = self._context.catalogue.services.get("llm")
        # With exact shares the turn need not go where its prompt was read.
        if llm is None or (len(llm.instances) > 1 and llm.algorithm.endswith("round_robin")):
            return False
        rules = self._context.catalogue.conversation
        return rules.prefill.paid or len(llm.paid) < len(llm.instances)

    async def _send(self, ticket: TurnTicket, tools: DeviceToolClient | None) -> None:
        name = await tools.list_name() if tools is not None else ""
        if self._ticket is ticket:
            # It belongs to no turn, so to no trace.
            await chains.prefill(self._context.redis, replace(ticket, tool_list=name, traceparent=""))

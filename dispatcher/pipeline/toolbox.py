"""Tools of one turn: the offer to the LLM, and the calls that it asks for.

A tool is called after the hedged call is over, by the attempt that won it, so no two attempts can call.
A second sending of the turn finds that the first one acted and ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from dispatcher.bounded_json import read_json
from dispatcher.dialogue.history import Message
from dispatcher.dialogue.local_time import NOW_TOOL, local_time
from dispatcher.errors import TurnCancelled
from dispatcher.messages import TOOL_TIMEOUT_S, TurnTicket
from dispatcher.pipeline.attempt import now
from dispatcher.pipeline.stage import reply
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.routing.router import remaining_s
from dispatcher.tools import device_calls
from dispatcher.tools.model import ListedTool, Tool, ToolCall, ToolResult
from dispatcher.tools.tool_arguments import argument_problem, fitted
from dispatcher.tools.tool_names import llm_name

log = structlog.get_logger(__name__)

MAX_CALLS: Final = 5
# What OpenAI takes; more would also be more than a small model can choose from.
MAX_OFFERED: Final = 128
# The LLM needs some of the turn's time to say what was done.
ANSWER_MARGIN_S: Final = 3.0
# A device's front counts the ten seconds; its answer travels a little longer.
DEVICE_ANSWER_MARGIN_S: Final = 1.0

# Where a tool is that no tool server has.
_DEVICE: Final = "device"
_CLOCK: Final = ListedTool(
    name=NOW_TOOL.name, description=NOW_TOOL.description, parameters=NOW_TOOL.parameters
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A tool under the LLM's name for it.

    Attributes:
        server: the tool server that has it; empty where the device has.
    """

    tool: Tool
    server: str
    listed: ListedTool


class Toolbox:
    """Tools that one turn may call.

    Attributes:
        called: how many calls were made.
        took_ms: how long they took in all.
    """

    def __init__(
        self, context: WorkerContext, ticket: TurnTicket, offers: Sequence[_Offer], timezone: str
    ) -> None:
        """Offer these; nothing was called yet."""
        self._timezone = timezone
        self.called = 0
        self.took_ms = 0.0
        self._context = context
        self._ticket = ticket
        self._offers = {offer.tool.name: offer for offer in offers}
        self._asked = 0
        self._may_act = False
        self._deadline_at_s = ticket.deadline_at_s

    @classmethod
    async def opened(cls, context: WorkerContext, ticket: TurnTicket, *, timezone: str = "") -> Toolbox:
        """Return the tools of the turn's own device, those of the servers that are there, and the clock.

        An LLM that has no tools at all is not offered the clock: some models take none, and the time stands
        in the user's message.

        Args:
            context: of this process.
            ticket: of the turn.
            timezone: IANA name of the device's zone, empty for that of the host.

        Raises:
            StateError: Redis is out of reach.
        """
        listed = [("", tool) for tool in await context.device_tools.listed(ticket.tool_list)]
        listed += context.tool_servers.listed()
        offers: dict[str, _Offer] = {}
        for server, tool in listed[:MAX_OFFERED]:
            name = llm_name(server, tool.name, taken=offers)
            offered = Tool(name=name, description=tool.description, parameters=tool.parameters)
            offers[name] = _Offer(tool=offered, server=server, listed=tool)
        if offers and NOW_TOOL.name not in offers:
            offers[NOW_TOOL.name] = _Offer(tool=NOW_TOOL, server="", listed=_CLOCK)
        return cls(context, ticket, list(offers.values()), timezone)

    @property
    def offered(self) -> tuple[Tool, ...]:
        """The tools that the LLM may call now; none after the last call of the turn."""
        return tuple(offer.tool for offer in self._offers.values()) if self._asked < MAX_CALLS else ()

    async def run(self, calls: Sequence[ToolCall], *, deadline_at_s: float) -> list[Message]:
        """Make the calls, one after the other, and return their results for the LLM.

        Args:
            calls: that the LLM asks for.
            deadline_at_s: of the turn, later than the ticket's by what the LLM spent thinking.

        Raises:
            TurnCancelled: another sending of this turn acts; this one ends.
            StateError: Redis is out of reach.
        """
        self._deadline_at_s = deadline_at_s
        results = []
        for call in calls:
            result = await self._answer(call)
            content = f"Error: {result.text}" if result.failed else result.text
            results.append(Message(role="tool", content=content, tool_call_id=call.id))
        return results

    async def _answer(self, call: ToolCall) -> ToolResult:
        self._asked += 1
        if self._asked > MAX_CALLS:
            return ToolResult(text=f"not done: a turn has {MAX_CALLS} calls at most", failed=True)
        if call.problem:
            return ToolResult(text=call.problem, failed=True)
        offer = self._offers.get(call.name)
        if offer is None:
            known = ", ".join(self._offers)
            return ToolResult(text=f"there is no tool {call.name[:64]!r}; there are {known}", failed=True)
        arguments = read_json(call.arguments)
        problem = argument_problem(offer.tool.parameters, arguments)
        if problem:
            log.info("tool not called", tool=call.name, server=offer.server or _DEVICE)
            return ToolResult(text=f"not done: {problem}", failed=True)
        if offer.listed is _CLOCK:
            return self._local_time(str(arguments.get("timezone") or ""))
        made = self._call(offer, fitted(offer.tool.parameters, arguments))
        return await self._traced(made, call, offer)

    async def _traced(self, made: Awaitable[ToolResult], call: ToolCall, offer: _Offer) -> ToolResult:
        if not (self._ticket.traceparent and self._context.tracer):
            return await made
        server, number = offer.server or _DEVICE, self._asked
        return await self._context.tracer.tool(made, self._ticket, call, server, number=number)

    def _local_time(self, timezone: str) -> ToolResult:
        try:
            now = zone_now(timezone or self._timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            reason = f"there is no time zone {timezone[:64]!r}; use an IANA name such as Asia/Tokyo"
            return ToolResult(text=reason, failed=True)
        self.called += 1
        return ToolResult(text=local_time(now, language="en"))

    async def _call(self, offer: _Offer, arguments: Mapping[str, Any]) -> ToolResult:
        await self._claim_turn()
        began_at = now()
        left_s = max(0.1, remaining_s(self._deadline_at_s) - ANSWER_MARGIN_S)
        if offer.server:
            reply(self._context, self._ticket, "tool")
            result = await self._context.tool_servers.call(
                offer.server, offer.listed.name, arguments, timeout_s=min(left_s, TOOL_TIMEOUT_S)
            )
            reply(self._context, self._ticket, "tool", last=True)
        else:
            result = await self._context.device_tools.call(
                self._ticket,
                offer.listed.name,
                arguments,
                timeout_s=min(left_s, TOOL_TIMEOUT_S + DEVICE_ANSWER_MARGIN_S),
            )
        took_ms = round((now() - began_at) * 1000, 1)
        self.called += 1
        self.took_ms = round(self.took_ms + took_ms, 1)
        server = offer.server or _DEVICE
        log.info("tool called", tool=offer.listed.name, server=server, failed=result.failed, ms=took_ms)
        return result

    async def _claim_turn(self) -> None:
        """Make sure that no other sending of this turn acts.

        Raises:
            TurnCancelled: one does.
            StateError: Redis is out of reach.
        """
        if not self._may_act:
            self._may_act = await device_calls.try_act(
                self._context.redis, self._ticket.turn_id, self._ticket.attempt
            )
        if not self._may_act:
            log.warning("another sending of this turn calls tools, this one ends")
            raise TurnCancelled(self._ticket.turn_id)


def zone_now(timezone: str) -> datetime:
    """Return the time in a zone by its IANA name; that of the host where there is none.

    Raises:
        ZoneInfoNotFoundError, ValueError, OSError: no zone has this name.
    """
    return datetime.now(ZoneInfo(timezone)) if timezone else datetime.now().astimezone()

"""The tools of one turn: what is offered to the LLM, and what is done when it calls.

A tool is called after the race of drafts is over, by the draft that won it, so no two drafts can call.
A second sending of the turn finds that the first one acted and ends.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.history import Message, well_formed
from dispatcher.dialogue.local_time import NOW_TOOL, local_time
from dispatcher.dialogue.tool_messages import as_plain_text
from dispatcher.errors import InstanceError, InstanceFailed, InstanceForbidden, InstanceRefused, TurnCancelled
from dispatcher.messages import TOOL_TIMEOUT_S, TurnTicket
from dispatcher.pipeline.stage import reply
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.routing.router import remaining_s
from dispatcher.tools import device_calls
from dispatcher.tools.model import ChatPiece, ListedTool, Progress, Tool, ToolCall, ToolResult
from dispatcher.tools.tool_arguments import argument_problem, fitted
from dispatcher.tools.tool_names import llm_name

log = structlog.get_logger(__name__)

MAX_CALLS: Final = 5
# What OpenAI takes; more would also be more than a small model can choose from.
MAX_OFFERED: Final = 128
# The LLM needs some of the turn's time to say what was done.
ANSWER_S: Final = 3.0
# A device's front counts the ten seconds; its word for that travels a little longer.
TRAVEL_S: Final = 1.0
# How the parameter is called where it is learned that an instance refuses it.
TOOLS: Final = "tools"
_TOOLS_NAMED: Final = re.compile(r"tool|function.?call|reasoning_content|thought_signature", re.IGNORECASE)
# A refusal of tools as such, not of one tool, its schema or the dialogue about calls.
_NOT_TAKEN: Final = re.compile(
    r"(not|n't)\W{0,3}(currently |yet |be )?(support|allow|permit|implement|enable|recogni|accept)"
    r"|unsupported|unrecogni[sz]ed|unknown|extra.(inputs?|fields?|forbidden)|requires? -|--jinja"
    r"|no endpoints found that support",
    re.IGNORECASE,
)
_ABOUT_A_PART: Final = re.compile(
    r"tools?(\[|\.)\d|tool_call_id|schema|messages|\brole\b|reasoning_content|thought_signature|\bname\b",
    re.IGNORECASE,
)


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
    """What one turn may call.

    Attributes:
        called: how many calls were made.
        took_ms: how long they took in all.
    """

    def __init__(
        self, shared: WorkerContext, ticket: TurnTicket, offers: Sequence[_Offer], timezone: str
    ) -> None:
        """Offer these; nothing was called yet."""
        self._timezone = timezone
        self.called = 0
        self.took_ms = 0.0
        self._shared = shared
        self._ticket = ticket
        self._offers = {offer.tool.name: offer for offer in offers}
        self._asked = 0
        self._may_act = False
        self._deadline_at_s = ticket.deadline_at_s

    @classmethod
    async def opened(cls, shared: WorkerContext, ticket: TurnTicket, *, timezone: str = "") -> Toolbox:
        """Return the tools of the turn's own device, those of the servers that are there, and the clock.

        An LLM that has no tools at all is not offered the clock: some models take none, and the time stands
        in the user's message.

        Args:
            shared: what the tasks of this process share.
            ticket: of the turn.
            timezone: IANA name of the device's zone, empty for that of the host.

        Raises:
            StateError: Redis is out of reach.
        """
        listed = [("", tool) for tool in await shared.device_tools.listed(ticket.tool_list)]
        listed += shared.tool_servers.listed()
        offers: dict[str, _Offer] = {}
        for server, tool in listed[:MAX_OFFERED]:
            name = llm_name(server, tool.name, taken=offers)
            offered = Tool(name=name, description=tool.description, parameters=tool.parameters)
            offers[name] = _Offer(tool=offered, server=server, listed=tool)
        if offers and NOW_TOOL.name not in offers:
            offers[NOW_TOOL.name] = _Offer(tool=NOW_TOOL, server="", listed=_CLOCK)
        return cls(shared, ticket, list(offers.values()), timezone)

    @property
    def offered(self) -> tuple[Tool, ...]:
        """What the LLM may call now; nothing after the last call of the turn."""
        return tuple(offer.tool for offer in self._offers.values()) if self._asked < MAX_CALLS else ()

    async def run(self, calls: Sequence[ToolCall], *, deadline_at_s: float) -> list[Message]:
        """Make the calls, one after the other, and return their results for the LLM.

        Args:
            calls: what the LLM asks for.
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
        arguments = json.loads(call.arguments)
        problem = argument_problem(offer.tool.parameters, arguments)
        if problem:
            log.info("tool not called", tool=call.name, server=offer.server or "device")
            return ToolResult(text=f"not done: {problem}", failed=True)
        if offer.listed is _CLOCK:
            return self._tell_time(str(arguments.get("timezone") or ""))
        return await self._call(offer, fitted(offer.tool.parameters, arguments))

    def _tell_time(self, timezone: str) -> ToolResult:
        try:
            now = zone_now(timezone or self._timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            reason = f"there is no time zone {timezone[:64]!r}; use an IANA name such as Asia/Tokyo"
            return ToolResult(text=reason, failed=True)
        self.called += 1
        return ToolResult(text=local_time(now, language="en"))

    async def _call(self, offer: _Offer, arguments: Mapping[str, Any]) -> ToolResult:
        await self._take_floor()
        began_at = time.monotonic()
        left_s = max(0.1, remaining_s(self._deadline_at_s) - ANSWER_S)
        if offer.server:
            reply(self._shared, self._ticket, "tool")
            result = await self._shared.tool_servers.call(
                offer.server, offer.listed.name, arguments, timeout_s=min(left_s, TOOL_TIMEOUT_S)
            )
            reply(self._shared, self._ticket, "tool", last=True)
        else:
            result = await self._shared.device_tools.call(
                self._ticket, offer.listed.name, arguments, timeout_s=min(left_s, TOOL_TIMEOUT_S + TRAVEL_S)
            )
        took_ms = round((time.monotonic() - began_at) * 1000, 1)
        self.called += 1
        self.took_ms = round(self.took_ms + took_ms, 1)
        server = offer.server or "device"
        log.info("tool called", tool=offer.listed.name, server=server, failed=result.failed, ms=took_ms)
        return result

    async def _take_floor(self) -> None:
        """Make sure that nobody else acts for this turn."""
        if not self._may_act:
            self._may_act = await device_calls.may_act(
                self._shared.redis, self._ticket.turn_id, self._ticket.attempt
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


async def chat(
    shared: WorkerContext, instance: Instance, messages: Sequence[Message], tools: Sequence[Tool]
) -> AsyncGenerator[ChatPiece, None]:
    """Yield an instance's reply; where it refuses the tools, it is asked again without them.

    That it takes no tools at all is learned from a first request only, and only once the same request
    without tools has succeeded: later ones hold calls and results, which are refused for other reasons.
    """
    refused, provider = shared.providers.refused, shared.providers.llm(instance)
    refusal = ""
    if tools and TOOLS not in refused.of(instance.name):
        begun = False
        try:
            async with aclosing(provider.chat(instance, messages, tools)) as items:
                async for item in items:
                    begun = begun or not isinstance(item, Progress)
                    yield item
        except InstanceError as error:
            if begun or not _may_be_about_tools(error):
                raise
            log.warning("request refused, asked without tools", instance=instance.name, reason=error.reason)
            is_first = not any(message.tool_calls for message in messages)
            refusal = error.reason if is_first and _refuses_tools(error.said) else ""
        else:
            return
    async with aclosing(provider.chat(instance, well_formed(as_plain_text(messages)))) as items:
        async for item in items:
            if refusal and not isinstance(item, Progress):
                refused.learn(instance, TOOLS, refusal)
                refusal = ""
            yield item


def _may_be_about_tools(error: InstanceError) -> bool:
    """Whether a refusal speaks of tools: Ollama's is a 400, OpenRouter's a 404, that of llama.cpp a 500."""
    is_refusal = isinstance(error, InstanceRefused | InstanceForbidden | InstanceFailed)
    return is_refusal and error.reason.startswith("HTTP ") and bool(_TOOLS_NAMED.search(error.said))


def _refuses_tools(said: str) -> bool:
    return bool(_NOT_TAKEN.search(said)) and not _ABOUT_A_PART.search(said)

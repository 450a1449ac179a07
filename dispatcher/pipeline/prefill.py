"""Prefill: an LLM reads prompt, tools and history of a device's next turn while its user still speaks.

The request is that of the turn up to the user's words, and asks for one token. It goes where prefix affinity
sends the turn, on a spare slot alone, and teaches nothing of the instance (docs/adr/0042-prefill.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Final

import structlog

from dispatcher.chains import spoken_language
from dispatcher.dialogue.persona import character
from dispatcher.errors import InstanceError, NoInstanceAvailable
from dispatcher.messages import TurnTicket
from dispatcher.pipeline.llm import prompt_of
from dispatcher.pipeline.tool_chat import chat
from dispatcher.pipeline.toolbox import Toolbox
from dispatcher.pipeline.usage_metering import metered_chat, payer_of
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.routing.spare_slots import SPARE_ORDER
from dispatcher.tools.model import ChatPiece, PromptUsage

log = structlog.get_logger(__name__)

# Stands for the user's words, without which strict chat templates refuse a dialogue.
PLACEHOLDER: Final = "…"


async def prefill(context: WorkerContext, ticket: TurnTicket) -> None:
    """Have one instance read the beginning of the prompt; whatever prevents that costs nothing but it.

    Raises:
        StateError: Redis is out of reach.
        TurnCancelled: the utterance is over, and the turn itself comes.
    """
    conversation = context.catalogue.conversation
    persona = character(conversation, ticket.device_id, chosen=ticket.persona)
    asked = replace(ticket, text=PLACEHOLDER)
    toolbox, messages = await asyncio.gather(
        Toolbox.opened(context, ticket, timezone=persona.timezone),
        prompt_of(context, asked, persona, spoken_language(ticket, PLACEHOLDER)),
    )
    try:
        async with context.router.lease(
            "llm",
            turn_id=ticket.turn_id,
            deadline_at_s=0.0,
            excluded=() if conversation.prefill.paid else context.catalogue.services["llm"].paid,
            mode="spare",
            dialogue=ticket.device_id if conversation.prefix_affinity else "",
            order=SPARE_ORDER,
            payer=payer_of(context, ticket),
        ) as lease:
            lease.clock.teaches = False
            stream = chat(context, replace(lease.instance, max_tokens=1), messages, toolbox.offered)
            await _read(metered_chat(stream, lease.usage, messages, toolbox.offered))
    except NoInstanceAvailable as error:
        log.debug("prompt not read ahead", reason=str(error))


async def _read(stream: AsyncGenerator[ChatPiece, None]) -> None:
    """Read a reply of one token; an error says more of this odd request than of the instance."""
    try:
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                if isinstance(piece, PromptUsage):
                    log.debug("prompt read ahead", tokens=piece.tokens, cached=piece.cached)
    except InstanceError as error:
        log.debug("prompt not read ahead", reason=error.reason)

"""LLM stage: from the transcript to sentences, each sent to be spoken while the rest is written.

Where the LLM calls tools, their results go back to it and it writes on; each round is a hedged call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from dispatcher.catalogue.model import DEFAULT_MAX_TOKENS, Instance
from dispatcher.chains import spoken_language
from dispatcher.dialogue.history import Message, chat_messages, continuation, well_formed
from dispatcher.dialogue.local_time import with_local_time
from dispatcher.dialogue.memory_prompt import with_memory
from dispatcher.dialogue.persona import Character, character
from dispatcher.dialogue_store import memory, recent_history
from dispatcher.messages import Language, TurnTicket
from dispatcher.pipeline.asr import share_of
from dispatcher.pipeline.attempt import Attempt, CallProfile
from dispatcher.pipeline.hedged_call import HedgedCall
from dispatcher.pipeline.reply_publisher import ReplyPublisher
from dispatcher.pipeline.reply_writer import ReplyWriter
from dispatcher.pipeline.tool_chat import chat
from dispatcher.pipeline.toolbox import Toolbox, zone_now
from dispatcher.pipeline.usage_metering import metered_chat
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.routing.router import Lease, remaining_s
from dispatcher.routing.rules.overload import OverloadStep
from dispatcher.tools.model import ToolCall

# Asked for while too many turns wait.
_BRIEF_REQUESTS: Final[Mapping[Language, str]] = {
    "en": "[Answer briefly, in one or two sentences.]",
    "zh": "[请简短回答，一两句话即可。]",
}


async def respond(context: WorkerContext, ticket: TurnTicket) -> None:
    """Write the reply to the ticket's text, round by round.

    Raises:
        TimeoutError: the turn's deadline passed, not counting what models thought.
        InstanceError, NoInstanceAvailable, StateError: no instance wrote the reply to its end.
        TurnCancelled: another sending of this turn calls its tools.
    """
    language = spoken_language(ticket, ticket.text)
    async with asyncio.timeout(remaining_s(ticket.deadline_at_s)) as deadline:
        publisher = ReplyPublisher(context, ticket, deadline, language=language)
        try:
            persona = character(context.catalogue.conversation, ticket.device_id, chosen=ticket.persona)
            toolbox, messages = await asyncio.gather(
                Toolbox.opened(context, ticket, timezone=persona.timezone),
                prompt_of(context, ticket, persona, language),
            )
            while calls := await _write_round(context, ticket, publisher, messages, toolbox):
                await publisher.wait_until_committed()
                messages += [
                    publisher.as_message(calls),
                    *await toolbox.run(calls, deadline_at_s=publisher.liveness.deadline_at_s),
                ]
                publisher.begin_round(tools=toolbox.called, tools_ms=toolbox.took_ms)
        finally:
            publisher.liveness.stop_heartbeat()


async def _write_round(
    context: WorkerContext,
    ticket: TurnTicket,
    publisher: ReplyPublisher,
    messages: Sequence[Message],
    toolbox: Toolbox,
) -> list[ToolCall]:
    """Have the reply written to its end, or to the calls that it asks for."""
    tools = toolbox.offered

    async def attempt_on(attempt: Attempt, lease: Lease) -> list[ToolCall]:
        # A substitute goes on from what was sent already.
        asked = well_formed([*messages, *continuation(publisher.sent)])
        instance = lease.instance
        if ticket.overload_step >= OverloadStep.BRIEF:
            instance = with_fewer_tokens(instance, context.catalogue.overload.brief_tokens)
        stream = metered_chat(chat(context, instance, asked, tools), lease.usage, asked, tools)
        return await ReplyWriter(publisher, attempt, lease).write(stream)

    dialogue = ticket.device_id if context.catalogue.conversation.prefix_affinity else ""
    profile = CallProfile(service="llm", ticket=ticket, dialogue=dialogue, order=share_of(ticket))
    return await HedgedCall(context, profile, attempt_on).run()


async def prompt_of(
    context: WorkerContext, ticket: TurnTicket, persona: Character, language: Language
) -> list[Message]:
    """Return the dialogue for the LLM: persona and memory, recent history, the user's words with the time."""
    rules = context.catalogue.conversation
    history, prompt = await asyncio.gather(
        recent_history.recall(context.redis, ticket.device_id), _system_prompt(context, ticket, persona)
    )
    messages = chat_messages(prompt, history, ticket.text, max_tokens=rules.history_tokens)
    content = with_local_time(
        messages[-1].content,
        zone_now(persona.timezone),
        language=language,
        place=persona.place,
    )
    if ticket.overload_step >= OverloadStep.BRIEF:
        content = with_brief_request(content, language=language)
    messages[-1] = replace(messages[-1], content=content)
    return messages


async def _system_prompt(context: WorkerContext, ticket: TurnTicket, persona: Character) -> str:
    if not context.catalogue.conversation.memory.enabled:
        return persona.system_prompt
    return with_memory(persona.system_prompt, (await memory.read(context.redis, ticket.device_id)).text)


def with_brief_request(text: str, *, language: Language) -> str:
    """Return the user's text with the request on a line behind it, for one request only.

    As with the time, what stands before it stays the same, so that a server's prompt cache holds.
    """
    return f"{text}\n{_BRIEF_REQUESTS.get(language, _BRIEF_REQUESTS['en'])}"


def with_fewer_tokens(instance: Instance, most: int) -> Instance:
    """Return an instance that writes so many tokens at most; one that thinks needs them for that."""
    usual = instance.max_tokens or DEFAULT_MAX_TOKENS
    return instance if instance.thinking == "auto" or usual <= most else replace(instance, max_tokens=most)

"""Chat with tools: an instance that refuses them is asked again without."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

import structlog

from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.history import Message, as_plain_text, well_formed
from dispatcher.errors import InstanceError, InstanceFailed, InstanceForbidden, InstanceRefused
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.tools.model import ChatPiece, Progress, Tool

log = structlog.get_logger(__name__)

# Name of the parameter under which it is learned that an instance refuses it.
TOOLS_PARAMETER: Final = "tools"
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


async def chat(
    context: WorkerContext, instance: Instance, messages: Sequence[Message], tools: Sequence[Tool]
) -> AsyncGenerator[ChatPiece, None]:
    """Yield an instance's reply; where it refuses the tools, it is asked again without them.

    That it takes no tools at all is learned from a first request only, and only once the same request
    without tools has succeeded: later ones hold calls and results, which are refused for other reasons.
    """
    refused, provider = context.providers.refused, context.providers.llm(instance)
    refusal, begun = "", False
    if tools and TOOLS_PARAMETER not in refused.of(instance.name):
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
            refusal = error.reason if is_first and refuses_tools(error.said) else ""
        else:
            return
    async with aclosing(provider.chat(instance, well_formed(as_plain_text(messages)))) as items:
        async for item in items:
            if refusal and not isinstance(item, Progress):
                refused.learn(instance, TOOLS_PARAMETER, refusal)
                refusal = ""
            yield item


def _may_be_about_tools(error: InstanceError) -> bool:
    """Return whether a refusal speaks of tools: a 400 of Ollama, a 404 of OpenRouter, a 500 of llama.cpp."""
    is_refusal = isinstance(error, InstanceRefused | InstanceForbidden | InstanceFailed)
    return is_refusal and error.reason.startswith("HTTP ") and bool(_TOOLS_NAMED.search(error.said))


def refuses_tools(said: str) -> bool:
    """Return whether a refusal is one of tools as such, not of one tool, its schema or the dialogue."""
    return bool(_NOT_TAKEN.search(said)) and not _ABOUT_A_PART.search(said)

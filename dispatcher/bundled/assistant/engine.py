"""The LLM engine around the rules: a token at a time, like a model."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dispatcher.bundled.assistant.control_calls import next_call
from dispatcher.bundled.assistant.memory import is_memory_task, memory_of
from dispatcher.bundled.assistant.places import zones
from dispatcher.bundled.assistant.query import parse_query
from dispatcher.bundled.assistant.rules import answer
from dispatcher.bundled.assistant.units import load_units
from dispatcher.bundled.engine_options import at_least
from dispatcher.bundled.engines import Call, Language, Message, Tool

# A word with the space before it, or two Chinese characters: about what a model's token holds.
_TOKEN: Final = re.compile(r"\s*(?:[\u3400-\u9fff]{1,2}|[^\s\u3400-\u9fff]+)|\s+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantOptions:
    """What `--set` may change.

    Attributes:
        tokens_per_s: pace of the answer; 0 is as fast as possible.
    """

    tokens_per_s: float = at_least(0, default=0)


def load(options: AssistantOptions) -> AssistantEngine:
    """Return the engine, its units and time zones read."""
    load_units()
    zones()
    return AssistantEngine(options)


def local_now() -> datetime:
    """Return the time on the wall of this machine."""
    return datetime.now().astimezone()


class AssistantEngine:
    """Answers by rules."""

    model = "builtin-assistant"

    def __init__(self, options: AssistantOptions, now: Callable[[], datetime] = local_now) -> None:
        """Answer at this pace, by this clock."""
        self._pause_s = 1 / options.tokens_per_s if options.tokens_per_s else 0.0
        self._now = now

    async def respond(
        self, messages: Sequence[Message], *, language: Language, tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[str | Call, None]:
        """Yield the answer, or what is to be called before it; of a system prompt only a memory counts."""
        said = memory_of(messages) if is_memory_task(messages) else self._answer(messages, language, tools)
        if isinstance(said, Call):
            yield said
            return
        for token in tokens_of(said):
            yield token
            if self._pause_s:
                await asyncio.sleep(self._pause_s)

    def _answer(self, messages: Sequence[Message], language: Language, tools: Sequence[Tool]) -> str | Call:
        query = parse_query(messages, hint=language, now=self._now(), tools=tools)
        return next_call(query) or answer(query)


def tokens_of(text: str) -> list[str]:
    """Return the text in tokens; together they are the text."""
    return _TOKEN.findall(text)

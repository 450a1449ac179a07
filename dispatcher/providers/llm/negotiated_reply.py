"""Reply to one chat request, which is made again without what the instance refuses."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from dispatcher.providers.llm.reply_reader import DeltaReader
from dispatcher.providers.llm.untagged_thinking import UntaggedThinking
from dispatcher.providers.negotiation import Negotiation
from dispatcher.tools.model import ChatPiece, Tool


@dataclass(slots=True, kw_only=True)
class NegotiatedReply:
    """One reply.

    Attributes:
        negotiation: the optional parameters of the request.
        request: makes the request, and feeds what comes to a reader.
        tools: what the reply may call.
        untagged: which instances begin their replies with reasoning.
        length_names: parameters that bound the length of a reply.
    """

    negotiation: Negotiation
    request: Callable[[DeltaReader], AsyncGenerator[ChatPiece, None]]
    tools: Sequence[Tool]
    untagged: UntaggedThinking
    length_names: Sequence[str]
    _reader: DeltaReader = field(init=False)

    async def pieces(self) -> AsyncGenerator[ChatPiece, None]:
        """Yield the text as it comes, then calls of tools, and the size of the prompt where it is told."""
        async with aclosing(self.negotiation.run(self._attempt)) as pieces:
            async for piece in pieces:
                yield piece
        rest = self._reader.finish()
        self.negotiation.accept()
        self.untagged.learn(self.negotiation.instance, self._reader)
        for piece in rest:
            yield piece
        if self._reader.prompt:
            yield self._reader.prompt

    async def _attempt(self) -> AsyncGenerator[ChatPiece, None]:
        instance = self.negotiation.instance
        starts_thinking = self.untagged.is_expected(instance)
        reader = self._reader = DeltaReader(instance, self.tools, starts_thinking=starts_thinking)
        async with aclosing(self.request(reader)) as pieces:
            async for piece in pieces:
                if reader.has_text:
                    self.negotiation.accept()
                yield piece
        if reader.is_cut_by_reasoning:
            # The next reply has room; so has this one, where nothing of it was said.
            self.negotiation.drop(self.length_names, "reasoning took all tokens")

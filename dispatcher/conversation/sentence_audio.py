"""One sentence of a reply and its audio, until it is spoken."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from dispatcher.contracts import Reply


@dataclass(slots=True)
class SentenceAudio:
    """One sentence until it is spoken.

    Attributes:
        waiting: its audio, and word of a failure, while it is not its turn.
        sendings: the attempts that were asked to speak it, the LLM's own first.
        heard: the attempt whose audio is taken, 0 before any came.
        played: replies handed over.
        skip: replies that `heard` repeats and that were handed over before.
    """

    text: str = ""
    waiting: deque[Reply] = field(default_factory=deque)
    sendings: list[int] = field(default_factory=list)
    heard: int = 0
    played: int = 0
    skip: int = 0

    def takes(self, reply: Reply) -> bool:
        """Return whether a reply counts: the first sending that delivers is heard, and it alone."""
        if reply.kind == "failed":
            return reply.attempt == (self.heard or self.sendings[-1])
        if not self.heard and reply.attempt in self.sendings:
            self.heard = reply.attempt
        return reply.attempt == self.heard

"""One sentence of a reply and its audio, until it is spoken."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from dispatcher.audio import packets
from dispatcher.messages import Reply


@dataclass(slots=True)
class SentenceAudio:
    """One sentence until it is spoken.

    Attributes:
        waiting: its audio, and word of a failure, while it is not its turn.
        sendings: the attempts that were asked to speak it, the LLM's own first.
        heard: the attempt whose audio is taken, 0 before any came.
        played: packets handed over.
        skip: packets that `heard` repeats and that were handed over before, in whatever groups.
        lost: sendings that were lost with their workers, of which no sign of life has come since.
    """

    text: str = ""
    waiting: deque[Reply] = field(default_factory=deque)
    sendings: list[int] = field(default_factory=list)
    heard: int = 0
    played: int = 0
    skip: int = 0
    lost: set[int] = field(default_factory=set)

    def try_take(self, reply: Reply) -> bool:
        """Return whether a reply counts: the first sending that delivers is heard, and it alone."""
        if reply.kind == "failed":
            return reply.attempt == (self.heard or self.sendings[-1])
        if not self.heard and reply.attempt in self.sendings:
            self.heard = reply.attempt
        return reply.attempt == self.heard

    def take_packets(self, packed: bytes) -> bytes:
        """Return the packets of a reply that were not handed over yet, which they are now."""
        made = packets.unpack(packed)
        skipped = min(self.skip, len(made))
        self.skip -= skipped
        self.played += len(made) - skipped
        return packets.pack(made[skipped:]) if skipped else packed

    def awaits(self, attempt: int) -> bool:
        """Return whether more of it is to come, from that sending alone."""
        if not self.text or attempt != (self.heard or self.sendings[-1]):
            return False
        ends = (each for each in self.waiting if each.last or each.kind == "failed")
        return all(each.attempt != attempt for each in ends)

    def send_again(self, attempt: int, *, lost: int = 0) -> None:
        """Have another sending speak it; one that is lost counts no more, should its worker wake up again."""
        if lost:
            self.lost.add(lost)
            self.waiting = deque(each for each in self.waiting if each.attempt != lost)
            self.sendings = [each for each in self.sendings if each != lost]
        self.sendings.append(attempt)
        self.heard = attempt if self.played else 0
        self.skip = self.played

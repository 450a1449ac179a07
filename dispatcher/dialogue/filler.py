"""The filler of one turn: a short phrase while nothing of the answer is audible, spoken once at most."""

from __future__ import annotations

from typing import Final, Literal

from dispatcher.dialogue.steps import PlayFiller, Step
from dispatcher.messages import Reply

# Its audio comes under an index that no sentence has.
FILLER_INDEX: Final = 1_000_000
# A filler whose next packets stay away for so long is over, and the answer may follow.
FILLER_PAUSE_S: Final = 1.0


class Filler:
    """What became of the filler so far.

    Attributes:
        is_speaking: part of it was handed over, and more follows; the answer waits for its end.
    """

    def __init__(self, due_at: float) -> None:
        """Wait until a time; infinity for never."""
        self.is_speaking = False
        self._due_at = due_at
        self._state: Literal["waiting", "asked", "over"] = "waiting"
        self._heard_at = 0.0

    def try_ask(self, now: float) -> bool:
        """Return whether it is time to ask for it; that is so once."""
        if self._state != "waiting" or now < self._due_at:
            return False
        self._state = "asked"
        return True

    def take(self, reply: Reply, now: float) -> list[Step]:
        """Take in its audio, or word that there is none."""
        if self._state != "asked":
            return []
        steps: list[Step] = [PlayFiller(reply.packets)] if reply.packets else []
        self._heard_at = now
        self.is_speaking = self.is_speaking or bool(steps)
        if reply.last or reply.kind in ("failed", "lost"):
            self.end()
        return steps

    def end(self) -> None:
        """Say no more of it: it is spoken, or the answer was quicker."""
        self._state = "over"
        self.is_speaking = False

    def try_end(self, now: float) -> bool:
        """Return whether it stopped in its middle; it is over then."""
        if not self.is_speaking or now - self._heard_at < FILLER_PAUSE_S:
            return False
        self.end()
        return True

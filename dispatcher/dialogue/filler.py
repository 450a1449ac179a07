"""The filler of one turn: a short phrase while nothing of the answer is audible, spoken once at most."""

from __future__ import annotations

import math
from typing import Final, Literal

from dispatcher.dialogue.steps import PlayFiller, Step
from dispatcher.messages import Reply

# Its audio comes under an index that no sentence has.
FILLER_INDEX: Final = 1_000_000
# A filler whose next packets stay away for so long is over, and the answer may follow.
FILLER_PAUSE_S: Final = 1.0
# A filler is about as long: an answer that is expected sooner would only have to wait for its end.
FILLER_S: Final = 1.0
# No prediction is trusted before this share of the delay: a fast answer is never spoken over.
EARLIEST_RATIO: Final = 0.25


def is_filler_due(
    waited_s: float, predicted_s: float, after_s: float, *, earliest_ratio: float = EARLIEST_RATIO
) -> bool:
    """Return whether it is time for a filler.

    Args:
        waited_s: since the end of speech.
        predicted_s: in how many seconds the first audio is to be expected; 0 where nothing is known.
        after_s: with an answer that is audible by then there is none.
        earliest_ratio: share of that before which no prediction is trusted.
    """
    if waited_s >= after_s:
        return True
    is_slow = predicted_s >= FILLER_S and waited_s + predicted_s >= after_s
    return is_slow and waited_s >= earliest_ratio * after_s


class Filler:
    """What became of the filler so far.

    Attributes:
        is_speaking: part of it was handed over, and more follows; the answer waits for its end.
    """

    def __init__(self, now: float, after_s: float, *, is_first: bool = False) -> None:
        """Wait for so long, or until the answer is known to be slow; infinity for never.

        With `is_first` a prediction is trusted at once.
        """
        self.is_speaking = False
        self._began_at = now
        self._after_s = after_s
        self._earliest_ratio = 0.0 if is_first else EARLIEST_RATIO
        self._state: Literal["waiting", "asked", "over"] = "waiting"
        self._heard_at = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether it may still be asked for."""
        return self._state == "waiting" and self._after_s < math.inf

    def try_ask(self, now: float, predicted_s: float) -> bool:
        """Return whether it is time to ask for it, as `is_filler_due` says; that is so once."""
        waited_s = now - self._began_at
        is_due = is_filler_due(waited_s, predicted_s, self._after_s, earliest_ratio=self._earliest_ratio)
        if not self.is_waiting or not is_due:
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

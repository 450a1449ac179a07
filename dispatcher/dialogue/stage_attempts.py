"""Attempts of a turn: sendings of its stages, counted, and the one whose replies are taken.

No two sendings of a turn share an attempt, whatever their stage, so an attempt tells which sending replied.
"""

from __future__ import annotations

from typing import Final

from dispatcher.dialogue.steps import Stage

SENDINGS: Final = 2
# Beyond those: that its worker was lost says nothing of a stage, unless it is the stage that ends them.
# A worker that shows life again was merely slow, and does not count.
LOST_SENDINGS: Final = 3


class StageAttempts:
    """The stage that is waited for, and its sendings.

    Attributes:
        stage: the stage that is waited for.
    """

    def __init__(self, stage: Stage) -> None:
        """Count the first sending."""
        self.stage: Stage = stage
        self._count = self._awaited = 1
        self._llm_attempt = 0
        self._sendings: dict[Stage, int] = {"asr": 1, "llm": 1}
        self._lost: set[tuple[str, int]] = set()
        self._found = 0

    @property
    def has_llm(self) -> bool:
        """Whether an LLM has said something."""
        return self._llm_attempt != 0

    @property
    def may_send_again(self) -> bool:
        """Whether the stage has a sending left."""
        most = SENDINGS + self._found + min(len(self._lost), LOST_SENDINGS)
        return self._sendings.get(self.stage, most) < most

    def next_attempt(self) -> int:
        """Return an attempt for another sending."""
        self._count += 1
        return self._count

    def is_awaited(self, attempt: int) -> bool:
        """Return whether a failure or loss of that attempt concerns the turn."""
        return attempt == (self._llm_attempt or self._awaited)

    def await_attempt(self, attempt: int) -> None:
        """Expect what follows under that attempt."""
        self._awaited = attempt

    def try_win_llm(self, attempt: int) -> bool:
        """Return whether an attempt is the LLM's; the first that delivers is."""
        self._llm_attempt = self._llm_attempt or attempt
        return attempt == self._llm_attempt

    def replace_llm(self) -> int:
        """Return the attempt of a sending that goes on with the reply; the one before is heard no more."""
        self._llm_attempt = self.next_attempt()
        return self._llm_attempt

    def spend_sending(self) -> int:
        """Return the attempt of one more sending of the stage, which has one left."""
        self._sendings[self.stage] += 1
        self._awaited = self.next_attempt()
        return self._awaited

    def count_loss(self, stage: str, attempt: int) -> None:
        """Allow one sending more for one that was lost with its worker."""
        self._lost.add((stage, attempt))

    def note_life(self, stage: str, attempt: int) -> None:
        """Count a loss no more whose worker shows life; what was sent for it stays allowed."""
        if (stage, attempt) in self._lost:
            self._lost.remove((stage, attempt))
            self._found += 1

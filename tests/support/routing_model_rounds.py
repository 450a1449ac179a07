"""Rounds of the waiting line in the reference model: one call of each sharer in each."""

from __future__ import annotations

from dataclasses import dataclass, field

from dispatcher.routing.leases import WaitingOrder
from dispatcher.routing.rules import constants as c


@dataclass
class ModelRounds:
    """Round of the line, next one of each sharer, round and sharer of each call, since the line was empty."""

    line: int = 0
    following: dict[str, int] = field(default_factory=dict)
    calls: dict[str, tuple[int, str]] = field(default_factory=dict)

    def round_of(self, sharer: str) -> int:
        """Return the round that a call of this sharer gets now."""
        return max(self.line, self.following.get(sharer, 0) if sharer else 0)

    def score(self, order: WaitingOrder, now_ms: float) -> float:
        """Return the score of a call that comes now."""
        due_us = (now_ms if order.due_ms is None else order.due_ms) * 1000
        in_round = self.round_of(order.sharer) * c.WAITING_ROUND_STEP + due_us
        return order.waiting_class * c.WAITING_CLASS_STEP + in_round

    def join(self, call: str, sharer: str) -> None:
        self.calls[call] = self.round_of(sharer), sharer
        if sharer:
            self.following[sharer] = self.calls[call][0] + 1

    def serve(self, call: str) -> None:
        self.line = max(self.line, self.calls.pop(call, (0, ""))[0])

    def leave(self, call: str) -> None:
        number, sharer = self.calls.pop(call, (0, ""))
        if sharer and self.following.get(sharer) == number + 1:
            self.following[sharer] = number

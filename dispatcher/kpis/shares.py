"""Shares of the calls that instances got, against the shares that their weights ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dispatcher.messages import Algorithm, Priority, Service

# So many rounds of the turn-taking make a window: 300 calls where the weights are 2 and 1.
ROUNDS: Final = 100
BY_WEIGHT: Final = ("round_robin", "weighted_round_robin")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareMember:
    """One usable instance of a service and priority.

    Attributes:
        weight: what counts now, above 0.
        calls: ended so far; only ever grows.
    """

    name: str
    weight: float
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareGroup:
    """Instances among which a pick chooses by weight or load: one service, one priority."""

    service: Service
    priority: Priority
    algorithm: Algorithm
    members: tuple[ShareMember, ...]

    @property
    def name(self) -> str:
        """What tells the group apart from others."""
        return f"{self.service} {self.priority}"

    @property
    def wanted(self) -> Mapping[str, float]:
        """The share of each instance, 0..1: all the same for `round_robin`, else by weight."""
        weights = {one.name: 1.0 if self.algorithm == "round_robin" else one.weight for one in self.members}
        return {name: weight / sum(weights.values()) for name, weight in weights.items()}

    @property
    def signature(self) -> str:
        """What a window is about; when it changes, the counting begins anew."""
        return json.dumps([self.algorithm, self.wanted])


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareWindow:
    """The counting of one group.

    Attributes:
        group: its name.
        judged: the algorithm promises the shares; others send calls where the load is least.
        began_with: calls of each instance when the running window began.
        deviation: by how much the farthest share missed, 0..1; None before the first whole window.
        in_words: got and wanted share of each instance, of the last whole window.
    """

    group: str
    judged: bool
    signature: str
    began_with: Mapping[str, int] = field(default_factory=dict)
    deviation: float | None = None
    in_words: str = ""


def next_window(before: ShareWindow | None, group: ShareGroup, *, rounds: int = ROUNDS) -> ShareWindow:
    """Return the window after a look at the counters: begun, still running, or whole and begun anew."""
    calls = {one.name: one.calls for one in group.members}
    wanted = group.wanted
    begun = ShareWindow(
        group=group.name,
        judged=group.algorithm in BY_WEIGHT,
        signature=group.signature,
        began_with=calls,
    )
    if before is None or before.signature != begun.signature:
        return begun
    got = {name: count - before.began_with.get(name, 0) for name, count in calls.items()}
    if min(got.values()) < 0:  # an instance was forgotten meanwhile
        return begun
    total = sum(got.values())
    if total < rounds / min(wanted.values()):
        return before
    shares = {name: count / total for name, count in got.items()}
    return ShareWindow(
        group=group.name,
        judged=begun.judged,
        signature=begun.signature,
        began_with=calls,
        deviation=max(abs(shares[name] - wanted[name]) for name in wanted),
        in_words=", ".join(f"{name} {shares[name]:.0%} of {wanted[name]:.0%}" for name in wanted),
    )


def measured_window(began: ShareGroup, ended: ShareGroup, *, rounds: int) -> ShareWindow | None:
    """Return the window between two looks; None where weights changed, or calls were too few."""
    window = next_window(next_window(None, began), ended, rounds=rounds)
    return None if window.deviation is None else window


def worst_deviation(windows: Sequence[ShareWindow]) -> float | None:
    """Return the largest deviation of those that are judged; None where none is known."""
    known = [window.deviation for window in windows if window.judged and window.deviation is not None]
    return max(known, default=None)

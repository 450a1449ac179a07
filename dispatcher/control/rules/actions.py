"""What the tuner can do: every action is a set of changes, and its inverse the same changes backwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from dispatcher.control.rules.evidence import Cause

Kind: TypeAlias = Literal["pool", "cap", "prefer", "admission", "buffer", "restart", "worker", "records"]
# Without int, a whole number that is kept in Redis is a warning of the serializer in the log, each time.
Setting: TypeAlias = int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One setting before and after; None is "as configured".

    Attributes:
        what: names the setting within its kind: a queue, `service/instance`, or a knob.
    """

    what: str
    before: Setting
    after: Setting

    @property
    def upwards(self) -> bool:
        """Whether it makes a number larger; "as configured" is the largest there is."""
        if isinstance(self.before, str) or isinstance(self.after, str):
            return False
        return _size(self.after) > _size(self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do.

    Attributes:
        target: a queue, a service, `service/instance`, a worker's name, or "fronts".
        changes: what it sets; empty where it is done once and ends by itself (restart, upkeep).
    """

    kind: Kind
    target: str
    changes: tuple[Change, ...] = ()

    @property
    def key(self) -> str:
        """What cool-downs go by: the same thing again, whatever the numbers."""
        return f"{self.kind} {self.target}"

    @property
    def upwards(self) -> bool:
        """Whether it makes something larger."""
        return any(change.upwards for change in self.changes)

    @property
    def lasts(self) -> bool:
        """Whether it leaves a setting that can be taken back."""
        return bool(self.changes)

    def inverse(self) -> Action:
        """Return what takes it back."""
        return Action(
            kind=self.kind,
            target=self.target,
            changes=tuple(
                Change(what=each.what, before=each.after, after=each.before) for each in self.changes
            ),
        )

    def settings(self) -> frozenset[str]:
        """Return the settings that it moves, each with its kind."""
        return frozenset(f"{self.kind} {change.what}" for change in self.changes)

    def opposes(self, other: Action) -> bool:
        """Tell whether it moves a setting of the other one the other way."""
        theirs = {change.what: change for change in other.changes if self.kind == other.kind}
        return any(
            isinstance(each.after, str) or each.upwards != theirs[each.what].upwards
            for each in self.changes
            if each.what in theirs
        )

    def in_words(self) -> str:
        """Return it as the log shows it: `cap llm/llm-1: 8 → 4`."""
        if not self.changes:
            return self.key
        moved = ", ".join(f"{each.what}: {_word(each.before)} → {_word(each.after)}" for each in self.changes)
        return f"{self.kind} {moved}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An action that could help against a cause, and why."""

    cause: Cause
    action: Action
    why: str


def _size(value: Setting) -> float:
    return float("inf") if value is None else float(value)


def _word(value: Setting) -> str:
    if value is None:
        return "as configured"
    return value if isinstance(value, str) else f"{value:g}"

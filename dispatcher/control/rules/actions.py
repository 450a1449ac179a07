"""Actions of the tuner: a table of kinds, and changes whose inverse is the same change backwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from dispatcher.control.rules.evidence import Cause, Measures
from dispatcher.control.rules.symptoms import CLEARED_RATIO, limit

Kind: TypeAlias = Literal[
    "pool",
    "cap",
    "prefer",
    "admission",
    "buffer",
    "restart",
    "worker",
    "records",
    "instance",
    "restart_instance",
    "throttle",
    "clear_cache",
    "cache_size",
    "clear_phrases",
]
Effect: TypeAlias = Literal[
    "pool", "instance", "override", "restart", "upkeep", "clear_cache", "clear_phrases", "operate"
]
# Without int, a whole number that is kept in Redis is a warning of the serializer in the log, each time.
Setting: TypeAlias = int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRow:
    """One kind of action.

    Attributes:
        effect: the function of `dispatcher/control/tuner_effects.py` that sets its changes.
        setting: field of an instance or name of an override; `{}` stands for the name in the change.
        costs: causes that more of it makes worse, so it waits while one of them is near its limit.
    """

    effect: Effect
    setting: str = ""
    costs: tuple[Cause, ...] = ()


KINDS: Final[Mapping[Kind, KindRow]] = {
    "pool": KindRow(effect="pool", costs=("cpu", "memory")),
    "cap": KindRow(effect="instance", setting="cap_limit"),
    "prefer": KindRow(effect="instance", setting="priority_override"),
    "admission": KindRow(effect="override", setting="max_devices"),
    "buffer": KindRow(effect="override", setting="reply_kept_s"),
    "restart": KindRow(effect="restart", costs=("cpu",)),
    "worker": KindRow(effect="override", setting="extra_workers.{}", costs=("cpu", "memory")),
    "records": KindRow(effect="upkeep", costs=("cpu",)),
    # What was kept is synthesised anew when it is asked for.
    "clear_cache": KindRow(effect="clear_cache", costs=("cpu",)),
    "cache_size": KindRow(effect="override", setting="{}", costs=("memory",)),
    "clear_phrases": KindRow(effect="clear_phrases", costs=("cpu",)),
    "instance": KindRow(effect="operate", setting="extra_instances.{}", costs=("cpu", "memory")),
    "restart_instance": KindRow(effect="operate", setting="restart_instance.{}", costs=("cpu",)),
    "throttle": KindRow(effect="operate", setting="throttled_{}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One setting before and after; None is "as configured".

    Attributes:
        what: names the setting within its kind: a queue, `service/instance`, or an override.
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
    """One action with its changes.

    Attributes:
        target: a queue, a service, `service/instance`, a worker's name, or "fronts".
        changes: settings that it sets; empty where it is done once and ends by itself (restart, upkeep).
    """

    kind: Kind
    target: str
    changes: tuple[Change, ...] = ()

    @property
    def key(self) -> str:
        """Key of its cool-down: the same action again, whatever the numbers."""
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
        """Return the action that takes it back."""
        back = (Change(what=each.what, before=each.after, after=each.before) for each in self.changes)
        return Action(kind=self.kind, target=self.target, changes=tuple(back))

    def settings(self) -> frozenset[str]:
        """Return the settings that it moves, each with its kind."""
        return frozenset(f"{self.kind} {change.what}" for change in self.changes)

    def opposes(self, other: Action) -> bool:
        """Return whether it moves a setting of the other one the other way."""
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


def conflict(action: Action, now: Measures, kept: Sequence[Action]) -> str:
    """Return why an action must not be taken now; empty where it may be."""
    if action.upwards or not action.lasts:
        for cause in KINDS[action.kind].costs:
            value = now.of(cause)
            if value is not None and value > CLEARED_RATIO * limit(cause):
                return f"{cause} is at {value:.2f} of at most {limit(cause):.2f}"
    for other in kept:
        if action.opposes(other):
            return f"{other.in_words()} was found to help"
    return ""


def _size(value: Setting) -> float:
    return float("inf") if value is None else float(value)


def _word(value: Setting) -> str:
    if value is None:
        return "as configured"
    return value if isinstance(value, str) else f"{value:g}"

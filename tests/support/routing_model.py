"""Reference model of routing in plain Python: what the Lua scripts are compared with, rule by rule.

It follows docs/balancing.md and shares nothing with the scripts but their constants. Times are in ms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.messages import Algorithm, Priority
from dispatcher.routing.leases import FIRST_COME, Outcome, PickMode, WaitingOrder
from dispatcher.routing.rules import constants as c
from tests.support.routing_model_outcomes import ModelInstance, ModelPlaces, count_outcome
from tests.support.routing_model_rounds import ModelRounds


@dataclass(frozen=True, slots=True)
class Picked:
    """A lease on an instance, and the instance to probe beside the call."""

    name: str
    probe: str = ""


@dataclass(frozen=True, slots=True)
class Full:
    """No slot: the call waits in line, or no instance is left to wait for."""

    waits: bool


class RoutingModel:
    """One service under one algorithm."""

    def __init__(
        self, algorithm: Algorithm, instances: Sequence[ModelInstance], cap: int | None = None
    ) -> None:
        self.algorithm = algorithm
        self.instances = {each.name: each for each in instances}
        self.cap = cap
        self.now = 1_000_000.0
        self.line: dict[str, float] = {}
        self.polled_at: dict[str, float] = {}
        self.excluded: dict[str, frozenset[str]] = {}
        self.rounds = ModelRounds()
        self._failed: frozenset[str] = frozenset()
        self._relied_on = self._is_relieved = False
        self._places = ModelPlaces()

    @property
    def in_line(self) -> list[str]:
        """The waiting calls in their order."""
        return sorted(self.line, key=lambda call: (self.line[call], call))

    def leave(self, call: str) -> None:
        self.rounds.leave(call)
        self.line.pop(call, None)
        self.polled_at.pop(call, None)
        self.excluded.pop(call, None)

    def renew(self, call: str, name: str, ttl: float) -> bool:
        held = call in self.instances[name].leases
        if held:
            self.instances[name].leases[call] = self.now + ttl
        return held

    def pick(
        self,
        call: str,
        *,
        ttl: float,
        dice: float,
        failed: Collection[str] = (),
        mode: PickMode = "",
        order: WaitingOrder = FIRST_COME,
        dialogue: str = "",
    ) -> Picked | Full:
        self._places.dialogue = "" if mode == "probe" else dialogue
        self._prepare(frozenset(failed), mode)
        for gone in [each for each, at in self.polled_at.items() if at <= self.now - c.WAITER_TTL_MS]:
            self.leave(gone)
        score = self.rounds.score(order, self.now)
        free = self._free(self._may_take)
        if self._must_wait(call, score, free):
            return self._wait(call, order)
        for priority in c.PRIORITIES:
            rivals = [each for each in self.instances.values() if each.priority == priority]
            room = [
                each for each in rivals if self._may_take(each) and self._open_slots(each) > len(each.leases)
            ]
            if room:
                return self._take(call, self._choose(room, dice), ttl, mode)
        if any(map(self._may_take, self.instances.values())):
            return self._wait(call, order)
        least_bad = self._least_bad()
        return self._take(call, least_bad, ttl, mode) if least_bad else Full(waits=False)

    def _least_bad(self) -> ModelInstance | None:  # the instance that panic takes
        rest = [it for it in self.instances.values() if not it.draining and it.name not in self._failed]
        able = [each for each in rest if len(each.leases) < each.cap]
        return min(able, key=lambda each: each.errors, default=None)

    def _prepare(self, failed: frozenset[str], mode: PickMode) -> None:
        self._failed, self._relied_on, self._is_relieved = failed, False, mode == "relief"
        for each in self.instances.values():
            each.leases = {call: until for call, until in each.leases.items() if until > self.now}
            each.slow = each.held_back = each.shunned = False
        self._relied_on = any(
            each.priority != "standby" and self._usable(each) and not each.is_half_open(self.now)
            for each in self.instances.values()
        )
        if mode in ("spare", "offer", "relief"):
            self._find_slow()
            self._spare_the_caller()
        if self.algorithm == "response_time":
            self._shun_slow()

    def _usable(self, it: ModelInstance) -> bool:
        spared = self._relied_on and it.priority == "standby" and not self._is_relieved
        return it.in_service(self.now) and it.name not in self._failed and not spared

    def _may_take(self, it: ModelInstance) -> bool:
        return self._usable(it) and not it.held_back

    def _is_quick_and_free(self, it: ModelInstance) -> bool:
        whole = self._usable(it) and not it.is_half_open(self.now) and not it.slow
        return whole and len(it.leases) < it.cap

    def _open_slots(self, it: ModelInstance) -> int:
        return min(1, it.cap) if it.is_half_open(self.now) or it.shunned else it.cap

    def _free(self, fits: Callable[[ModelInstance], bool]) -> dict[str, int]:
        fitting = [each for each in self.instances.values() if fits(each)]
        free = {each.name: self._open_slots(each) - len(each.leases) for each in fitting}
        return {name: count for name, count in free.items() if count > 0}

    def _find_slow(self) -> None:
        healthy = [
            each
            for each in self.instances.values()
            if each.in_service(self.now) and not each.is_half_open(self.now)
        ]
        quickest = _least(healthy, lambda it: it.first)
        for it in self.instances.values():
            best = quickest.get(it.priority)
            it.slow = bool(
                best is not None
                and it.first is not None
                and it.in_service(self.now)
                and it.first > c.SLOW_FIRST_FACTOR * best
                and it.first > best + c.SLOW_FIRST_AND_MS
            )
            if it.slow and it.slow_since is None:
                it.slow_since, it.unprobed = self.now, 0
            elif not it.slow and it.slow_since is not None:
                it.slow_since, it.unprobed = None, 0

    def _spare_the_caller(self) -> None:
        free = {each.priority for each in self.instances.values() if self._is_quick_and_free(each)}
        for it in self.instances.values():
            it.held_back = (it.slow or it.is_half_open(self.now)) and it.priority in free

    def _shun_slow(self) -> None:
        usable = [each for each in self.instances.values() if self._usable(each)]
        quickest = _least(usable, lambda it: it.ewma)

        def slow(it: ModelInstance) -> bool:
            best, latency = quickest.get(it.priority), it.latency(self.now)
            return best is not None and latency is not None and latency > c.SLOW_CALL_FACTOR * best

        if len(self.line) < sum(each.cap for each in usable if not slow(each)):
            for it in self.instances.values():
                it.shunned = slow(it)

    def _must_wait(self, call: str, score: float, free: Mapping[str, int]) -> bool:
        if free and self._is_overtaking(call, score, set(free), sum(free.values())):
            return True
        if self.cap is None:
            return False
        left = self.cap - sum(len(each.leases) for each in self.instances.values())
        if left <= 0:
            return True
        anywhere = set(self._free(lambda it: it.in_service(self.now)))
        return bool(free) and self._is_overtaking(call, score, anywhere, left)

    def _is_overtaking(self, call: str, score: float, names: set[str], slots: int) -> bool:
        """Tell whether as many calls in front may use one of these instances as there are slots."""
        own = (self.line[call], call) if call in self.line else (score, "~")
        in_front = [each for each in self.in_line if (self.line[each], each) < own]
        if not self.excluded or len(in_front) < slots:
            return len(in_front) >= slots
        return sum(bool(names - self.excluded.get(each, frozenset())) for each in in_front) >= slots

    def _wait(self, call: str, order: WaitingOrder) -> Full:
        if call not in self.line:
            self.rounds = self.rounds if self.line else ModelRounds()
            self.line[call] = self.rounds.score(order, self.now)
            self.rounds.join(call, order.sharer)
        self.polled_at[call] = self.now
        if self._failed:
            self.excluded[call] = self._failed
        return Full(waits=True)

    def _choose(self, room: Sequence[ModelInstance], dice: float) -> ModelInstance:
        if self.algorithm in ("round_robin", "weighted_round_robin"):
            return self._in_turn(room)
        loads = [self._load(each, room) for each in room]
        best, ties = 0, 1
        for at in range(1, len(room)):
            if loads[at] < loads[best]:
                best, ties = at, 1
            elif loads[at] == loads[best]:
                ties += 1
                dice = (dice * 9301 + 0.49297) % 1
                best = at if dice < 1 / ties else best
        return self._places.preferred(room, loads, best, self.now)

    def _in_turn(self, room: Sequence[ModelInstance]) -> ModelInstance:
        weighted = self.algorithm == "weighted_round_robin"
        weights = [each.effective_weight(self.now) if weighted else 1.0 for each in room]
        for it, weight in zip(room, weights, strict=True):
            it.current += weight
        best = max(room, key=lambda it: it.current)
        best.current -= sum(weights)
        return best

    def _load(self, it: ModelInstance, room: Sequence[ModelInstance]) -> float:
        latency, held = it.latency(self.now), len(it.leases)
        weight = it.effective_weight(self.now)
        if self.algorithm == "least_connections":
            return (held + 1) / (it.cap * weight)
        if self.algorithm == "response_time":
            known = sorted(each for each in (one.latency(self.now) for one in room) if each is not None)
            median = known[math.ceil(len(known) / 2) - 1] if known else 1.0
            usual = median if latency is None else latency
            return usual * (held + 1) / it.cap * (1 + 10 * it.errors) * (it.weight / weight)
        terms = [(0.30, it.cpu), (0.20, held / it.cap)]
        terms += [(0.15, None if latency is None else min(latency / 1000, 1)), (0.10, it.errors)]
        known_terms = [(share, term) for share, term in terms if term is not None]
        total = sum(share * term for share, term in known_terms) / sum(share for share, _ in known_terms)
        return total * {"high": 0.8, "low": 1.2}.get(it.priority, 1.0)

    def _take(self, call: str, it: ModelInstance, ttl: float, mode: PickMode) -> Picked:
        it.leases[call] = self.now + ttl
        self._places.note(it.name, self.now)
        if call in self.line:
            self.rounds.serve(call)
        self.leave(call)
        return Picked(it.name, self._offer() if mode == "offer" else "")

    def _offer(self) -> str:
        due: ModelInstance | None = None
        for it in self.instances.values():
            it.unprobed += it.slow
            if self._is_probe_due(it) and (due is None or it.probed_at < due.probed_at):
                due = it
        if due is None:
            return ""
        due.probed_at, due.unprobed = self.now, 0
        return due.name

    def _is_probe_due(self, it: ModelInstance) -> bool:
        if not it.held_back or not it.in_service(self.now) or it.leases:
            return False
        if it.is_half_open(self.now):
            return self.now - it.probed_at >= c.HALF_OPEN_PROBE_INTERVAL_MS
        slow_since = it.slow_since or 0.0
        rested = self.now - max(it.probed_at, slow_since)
        interval = min(c.PROBE_INTERVAL_MAX_MS, max(c.PROBE_AFTER_MS, it.probed_at - slow_since))
        return rested >= interval or (rested >= c.PROBE_AFTER_MS and it.unprobed >= c.PROBE_CALLS)

    def finish(
        self,
        call: str,
        name: str,
        outcome: Outcome,
        *,
        latency: float,
        first: float | None = None,
        retry_after: float | None = None,
    ) -> str:
        """Give a slot back and learn from the call."""
        it = self.instances[name]
        it.leases.pop(call, None)
        return count_outcome(it, outcome, now=self.now, latency=latency, first=first, retry_after=retry_after)


def _least(
    of: Iterable[ModelInstance], what: Callable[[ModelInstance], float | None]
) -> dict[Priority, float]:
    """Return the least value of each priority, of those that are known."""
    found: dict[Priority, float] = {}
    for it in of:
        value = what(it)
        if value is not None:
            found[it.priority] = min(value, found.get(it.priority, value))
    return found

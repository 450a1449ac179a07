"""Reference model of an instance: what calls teach of it, and how long it stays out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from dispatcher.messages import Priority
from dispatcher.routing.leases import Outcome
from dispatcher.routing.rules import constants as c


@dataclass(slots=True, kw_only=True)
class ModelInstance:
    """One instance; `slow`, `held_back` and `shunned` are found anew by each pick."""

    name: str
    cap: int = 2
    weight: float = 1.0
    priority: Priority = "normal"
    cpu: float | None = None
    draining: bool = False
    healthy: bool = True
    leases: dict[str, float] = field(default_factory=dict)
    current: float = 0.0
    ewma: float | None = None
    ewma_at: float | None = None
    errors: float = 0.0
    failures: int = 0
    failed_at: float = 0.0
    recent: str = ""
    ejected_until: float = 0.0
    held_until: float = 0.0
    ejections: int = 0
    trial: float = 0.0
    tried_since: float | None = None
    recovered_at: float = 0.0
    first: float | None = None
    slow_since: float | None = None
    probed_at: float = 0.0
    unprobed: int = 0
    slow: bool = False
    held_back: bool = False
    shunned: bool = False

    def is_ejected(self, now: float) -> bool:
        return self.ejected_until > now

    def is_half_open(self, now: float) -> bool:
        return 0 < self.ejected_until <= now

    def in_service(self, now: float) -> bool:
        return self.healthy and not self.draining and not self.is_ejected(now)

    def latency(self, now: float) -> float | None:
        """Return the peak EWMA, faded since the last call."""
        if self.ewma is None or self.ewma_at is None:
            return None
        return self.ewma * math.exp(-(now - self.ewma_at) / c.LATENCY_FORGIVE_MS)

    def effective_weight(self, now: float) -> float:
        age = now - self.recovered_at
        if self.recovered_at == 0 or age >= c.SLOW_START_MS:
            return self.weight
        return self.weight * max(c.SLOW_START_FLOOR, age / c.SLOW_START_MS)


@dataclass(slots=True)
class ModelPlaces:
    """Instance that served each dialogue last, and when; `dialogue` is that of the pick, if any."""

    dialogue: str = ""
    last: dict[str, tuple[str, float]] = field(default_factory=dict)

    def note(self, name: str, now: float) -> None:
        if self.dialogue:
            self.last[self.dialogue] = (name, now)

    def preferred(
        self, room: Sequence[ModelInstance], loads: Sequence[float], best: int, now: float
    ) -> ModelInstance:
        """Return the last instance where its load is within the bound of this moment, else the best one."""
        name, at = self.last.get(self.dialogue, ("", -math.inf))
        left = 1 - (now - at) / c.AFFINITY_FADE_MS
        for it, load in zip(room, loads, strict=True):
            is_whole = not (it.slow or it.shunned or it.is_half_open(now))
            if it.name == name and left > 0 and is_whole and it.effective_weight(now) == it.weight:
                bound = loads[best] * (1 + (c.AFFINITY_LOAD_FACTOR - 1) * left)
                return it if load <= bound else room[best]
        return room[best]


def count_outcome(
    it: ModelInstance,
    outcome: Outcome,
    *,
    now: float,
    latency: float,
    first: float | None = None,
    retry_after: float | None = None,
) -> str:
    """Learn from a call; return "ejected", "recovered" or an empty text."""
    if first is not None:
        _learn_first(it, max(c.FIRST_MIN_MS, first), outcome, now)
    if outcome == "ignored":
        return ""
    last_at = max(it.ewma_at or 0.0, it.failed_at)
    recent = it.recent if now - last_at < c.OUTLIER_WINDOW_IDLE_MS else ""
    it.recent = (recent + ("-" if outcome == "failed" else "+"))[-c.OUTLIER_WINDOW_CALLS :]
    if outcome == "failed":
        return _fail(it, retry_after, now)
    return _succeed(it, outcome, latency, now)


def _learn_first(it: ModelInstance, took: float, outcome: Outcome, now: float) -> None:
    usual = took if it.first is None else it.first
    is_better = it.slow_since is not None and took * c.FIRST_BETTER_FACTOR < usual
    is_surprise = is_better or abs(math.log(took / usual)) > math.log(c.FIRST_SURPRISE_FACTOR)
    share = c.FIRST_SURPRISE_SHARE if is_surprise else c.FIRST_SHARE
    if outcome != "failed" and it.is_half_open(now):
        share = 1.0
    it.first = usual * math.exp(share * math.log(took / usual))
    if is_better:
        it.slow_since = now


def _succeed(it: ModelInstance, outcome: Outcome, latency: float, now: float) -> str:
    it.errors, it.failures = it.errors * (1 - c.ERROR_SHARE), 0
    if outcome == "ok":
        keep = math.exp(-(now - (now if it.ewma_at is None else it.ewma_at)) / c.LATENCY_DECAY_MS)
        is_peak = it.ewma is None or latency > it.ewma
        it.ewma = latency if it.ewma is None or is_peak else it.ewma * keep + latency * (1 - keep)
        it.ewma_at = now
    is_news = now - latency >= it.failed_at
    was_down = is_news and not it.healthy
    if was_down:
        it.healthy, it.recovered_at = True, now
    if it.ejected_until == 0 or it.held_until > now or not is_news:
        return "recovered" if was_down else ""
    tried_since = now if it.tried_since is None else it.tried_since
    if now - tried_since < it.trial:
        it.tried_since = tried_since
        return ""
    it.tried_since, it.ejected_until, it.recovered_at = None, 0.0, now
    return "recovered"


def _fail(it: ModelInstance, retry_after: float | None, now: float) -> str:
    it.failures += 1
    it.tried_since, it.failed_at = None, now
    it.errors = it.errors * (1 - c.ERROR_SHARE) + c.ERROR_SHARE
    was_out, was_half_open = it.is_ejected(now), it.is_half_open(now)
    if retry_after:
        wanted = now + min(c.EJECTION_MAX_MS, retry_after)
        if wanted > it.ejected_until:
            it.ejected_until = it.held_until = wanted
            it.recent = ""
        return "" if was_out else "ejected"
    ratio = it.recent.count("-") / len(it.recent)
    mostly = len(it.recent) >= c.OUTLIER_FEWEST_CALLS and ratio >= c.OUTLIER_FAILED_RATIO
    if was_out or not (was_half_open or mostly or it.failures >= c.EJECTION_FAILURES):
        return ""
    if not was_half_open:
        served = now - it.recovered_at
        it.ejections = max(0, it.ejections - int(served // c.FLAP_MS))
        flaps = it.recovered_at > 0 and served < c.FLAP_MS
        it.trial = min(c.TRIAL_MAX_MS, max(c.TRIAL_BASE_MS, 2 * it.trial)) if flaps else 0.0
    it.ejections += 1
    it.ejected_until = now + min(c.EJECTION_MAX_MS, c.EJECTION_BASE_MS * 2 ** (it.ejections - 1))
    it.recent = ""
    return "ejected"

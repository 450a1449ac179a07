"""Rules of hedging: the time after which a second instance is asked for the same result, and its budget.

Nothing is spoken before the first result (a transcript, a whole sentence, the first audio), so a call that
hangs before it can be made again elsewhere unnoticed. Source: Dean and Barroso, "The Tail at Scale".
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final

from dispatcher.messages import Service
from dispatcher.routing.rules.retries import RetryBudget

# A first result that came counts for a fifth: ten turns forget an old habit.
_NEW_SHARE: Final = 0.2
_BUDGET_RATIO: Final = 0.05
_GUARANTEED_INTERVAL_S: Final = 10.0
_MAX_SAVED: Final = 10.0
# One that usually takes so many times as long as a free alternative is not given its own time; as in
# pick_slow.lua.
_SLOW_FACTOR: Final = 2.0
# As many failures in a row as eject an instance.
_SAVED_BY_TIME: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgePolicy:
    """How long the instances of a service may be silent before their first result.

    Attributes:
        result: what is waited for, in words.
        times_usual: so many times what the instance usually takes,
        and_s: and so many seconds more.
        unknown_s: stands for the usual time of an instance that has not answered yet.
        longest_s: another one is asked after this in any case.
        silence_s: one that lost and was silent for so long in all has failed.
        retry_s: after this a second request may be paid as a retry; a stream that rests fails by itself.
        pause_s: after its first result, a stream that pauses for so long is late again.
    """

    result: str
    times_usual: float = 1.0
    and_s: float = 0.6
    unknown_s: float = 0.0
    longest_s: float = 3.0
    silence_s: float = 3.0
    retry_s: float = math.inf
    pause_s: float = math.inf

    @property
    def probe_s(self) -> float:
        """How long a probe may take: more than a slow instance does, since nobody waits for it."""
        return 2 * self.silence_s


# A transcript comes in one piece and costs the most of all calls: times of one instance spread by a factor
# of two and more (load, length), and a false alarm doubles the load that made it late.
HEDGE_POLICIES: Final[Mapping[Service, HedgePolicy]] = {
    "asr": HedgePolicy(
        result="transcript", times_usual=2.0, unknown_s=0.7, longest_s=4.0, silence_s=6.0, retry_s=6.0
    ),
    # The sentence before is still being spoken then; what another instance needs comes on top. One that lost
    # may be silent for as long as any stream: a slow one has not failed.
    "llm": HedgePolicy(result="first sentence", silence_s=5.0, pause_s=1.0),
    "tts": HedgePolicy(result="first audio"),
}


class LatencyEstimator:
    """How long each instance of a service usually takes to its first result, as one process sees it.

    Attributes:
        policy: of the service.
    """

    def __init__(self, policy: HedgePolicy) -> None:
        """Know nothing yet."""
        self.policy = policy
        self._usual_s: dict[str, float] = {}

    def note(self, instance: str, elapsed_s: float, *, size: float = 1.0) -> None:
        """Count a first result that came; `size` is how much there was to do, 1.0 for what is usual."""
        elapsed_s /= size
        usual_s = self._usual_s.get(instance, elapsed_s)
        self._usual_s[instance] = usual_s + _NEW_SHARE * (elapsed_s - usual_s)

    def wait_s(self, instance: str, *, size: float = 1.0, alternative_s: float | None = None) -> float:
        """Return how long to wait for the instance's first result before another one is asked.

        An instance that is slow beside an alternative that is free, which usually takes `alternative_s`, is
        waited for as long as that one would be.
        """
        usual_s = self._usual_s.get(instance, self.policy.unknown_s)
        if alternative_s is not None and usual_s > _SLOW_FACTOR * alternative_s:
            usual_s = max(alternative_s, self.policy.unknown_s)
        return min(self.policy.times_usual * usual_s * size + self.policy.and_s, self.policy.longest_s)


class LateInstances:
    """Instances whose first result is late at this very moment, as one process sees it.

    Whether one of them hangs or is only slow shows within seconds (`HedgePolicy.silence_s`). Until then other
    calls had better go elsewhere, or each of them would cost a second request.
    """

    def __init__(self) -> None:
        """No instance is late yet."""
        self._late: dict[Hashable, str] = {}

    @property
    def names(self) -> frozenset[str]:
        """Instances with a late attempt now."""
        return frozenset(self._late.values())

    def mark_late(self, attempt: Hashable, instance: str) -> None:
        """Count an attempt's instance as late until it is cleared."""
        self._late[attempt] = instance

    def clear_late(self, attempt: Hashable) -> None:
        """Forget an attempt; one that was never late is fine."""
        self._late.pop(attempt, None)


class HedgeBudget:
    """Second requests that may be made: one in twenty calls, and one every ten seconds in any case.

    Without a budget a slow moment of all instances would double their load. Time alone saves up what it
    takes to learn that an instance hangs: after three silences in a row it is ejected, and the fourth turn
    does not meet it.
    """

    def __init__(self, now: float) -> None:
        """Begin with what time alone saves up; `now` is in seconds of any steady clock, as in `try_spend`."""
        self._saved = _SAVED_BY_TIME
        self._seen_at = now

    def note_call(self) -> None:
        """Count a call; twenty of them pay for a second request."""
        self._saved = min(self._saved + _BUDGET_RATIO, _MAX_SAVED)

    def try_spend(self, now: float) -> bool:
        """Return whether a second request may be made now, and count it."""
        earned = (now - self._seen_at) / _GUARANTEED_INTERVAL_S
        self._saved = max(self._saved, min(self._saved + earned, _SAVED_BY_TIME))
        self._seen_at = now
        # Twenty twentieths are one, in spite of floating point.
        if self._saved < 1.0 - 1e-9:
            return False
        self._saved -= 1.0
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedHedging:
    """Response times and budgets that the hedged calls of one process share."""

    estimators: Mapping[Service, LatencyEstimator]
    late: LateInstances
    hedge_budget: HedgeBudget
    retry_budget: RetryBudget

    @classmethod
    def begin(cls, now: float) -> SharedHedging:
        """Begin with no times known and full budgets; `now` as in `HedgeBudget`."""
        return cls(
            estimators={service: LatencyEstimator(policy) for service, policy in HEDGE_POLICIES.items()},
            late=LateInstances(),
            hedge_budget=HedgeBudget(now),
            retry_budget=RetryBudget(now),
        )

    def note_call(self) -> None:
        """Count a call in both budgets."""
        self.hedge_budget.note_call()
        self.retry_budget.note_call()

    def try_spend_hedge(self, now: float, *, or_retry: bool, may_hedge: bool = True) -> bool:
        """Return whether a second request may be made, and count it, as a retry where `or_retry` allows."""
        is_hedge = may_hedge and self.hedge_budget.try_spend(now)
        return is_hedge or (or_retry and self.retry_budget.try_spend(now))

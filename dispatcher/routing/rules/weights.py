"""Weight of an instance from its performance beside those of its kind (requirement R11).

The configured weight stays the operator's; what is learned is a factor on it, `adjustment`, that moves
slowly, stays within bounds and goes back to 1 when nothing speaks against it.
Why so: docs/adr/0009-weight-adjustment.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

LEAST: Final = 0.25
MOST: Final = 4.0
# One step goes up by a fifth at most, or down by what takes that back.
STEP: Final = math.log(1.2)
# Without anything to go by, a tenth a step: a quarter of an hour forgets a factor of four.
DRIFT: Final = math.log(1.1)
# Part of the way to the target in one step: what a step changes is seen only in the next period.
GAIN: Final = 0.7
# A target so near changes nothing. One that is a little farther has to lie on the same side twice in a row:
# the noise of a minute's calls must not move weights to and fro.
DEAD_BAND: Final = math.log(1.04)
PLAIN: Final = math.log(1.15)
# Fewer calls say more about themselves than about the instance.
FEWEST_CALLS: Final = 5
# One bad minute is a factor and never a zero, of which no logarithm could be taken.
LEAST_SUCCESS: Final = 0.1

# How much each term counts, as R11 has it.
SHARES: Final[Mapping[str, float]] = {"response": 0.3, "cpu and memory": 0.3, "free": 0.2, "success": 0.2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """How an instance did since its weight was last looked at.

    Attributes:
        adjustment: the factor that it had meanwhile.
        lean: on which side the target lay the last time: 1 above, -1 below, 0 near.
        usable: False while it drains, is down or ejected.
        calls: ended in that time.
        mean_ms: how long those took that succeeded; None where none did.
        busy_ratio: share of its slots that were in use on average, 0..1.
        error_ratio: recent share of calls that failed, 0..1.
        cpu_ratio, memory_ratio: what it says that it uses, 0..1; None where it does not say.
    """

    name: str
    adjustment: float = 1.0
    lean: int = 0
    usable: bool = True
    calls: int = 0
    mean_ms: float | None = None
    busy_ratio: float = 0.0
    error_ratio: float = 0.0
    cpu_ratio: float | None = None
    memory_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """The next factor of an instance, and why.

    Attributes:
        lean: on which side of the factor before the target lay.
        score: how it performs, 0..1; None where it was not compared.
    """

    name: str
    before: float
    after: float
    lean: int
    score: float | None
    reason: str

    @property
    def changed(self) -> bool:
        """Whether the factor moves."""
        return self.after != self.before


def busy_ratio(*, calls: int, mean_ms: float, period_s: float, cap: int) -> float:
    """Return which share of the slots was in use on average, 0..1, by Little's law."""
    return min(1.0, calls * mean_ms / (period_s * 1000) / cap)


def next_adjustments(kind: Sequence[Performance]) -> list[Adjustment]:
    """Return the next factor of each instance of one service and priority, in the same order."""
    compared = [each for each in kind if each.usable and each.calls >= FEWEST_CALLS]
    relative = _relative(compared) if len(compared) > 1 else {}
    return [next_adjustment(each, relative.get(each.name), alone=len(kind) == 1) for each in kind]


def next_adjustment(it: Performance, found: Relative | None, *, alone: bool = False) -> Adjustment:
    """Return the next factor of one instance.

    Args:
        it: the instance.
        found: how it stands beside the others; None where it could not be compared.
        alone: it is the only one of its service and priority, where a weight means nothing.
    """
    if alone:
        return _adjustment(it, 1.0, reason="alone")
    if not it.usable:
        return _adjustment(it, it.adjustment, reason="out of use")
    if found is None:
        return _adjustment(it, _towards(it.adjustment, 1.0, most=DRIFT), reason=f"{it.calls} calls only")
    target = min(MOST, max(LEAST, found.target))
    way = math.log(target / it.adjustment)
    lean = 0 if abs(way) < DEAD_BAND else 1 if way > 0 else -1
    is_sure = abs(way) >= PLAIN or (lean != 0 and lean == it.lean)
    after = _towards(it.adjustment, target, most=STEP, gain=GAIN) if is_sure else it.adjustment
    after = min(MOST, max(LEAST, after))
    return _adjustment(it, after, reason=found.reason, lean=lean, score=found.score)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """How an instance stands beside the others.

    Attributes:
        target: the factor that would be right if all stays as it was.
        score: how it performs, 0..1.
        reason: the terms in words.
    """

    target: float
    score: float
    reason: str


def _adjustment(
    it: Performance, after: float, *, reason: str, lean: int = 0, score: float | None = None
) -> Adjustment:
    return Adjustment(
        name=it.name, before=it.adjustment, after=round(after, 4), lean=lean, score=score, reason=reason
    )


def _towards(now: float, target: float, *, most: float, gain: float = 1.0) -> float:
    way = gain * math.log(target / now)
    return now * math.exp(min(most, max(-most, way)))


# More is better; None where it is not known. Free slots and idle CPU count by half: an instance that is busy
# because it is good must not lose all that it won by that, or weights would swing under load.
_TERMS: Final[Mapping[str, tuple[tuple[str, Callable[[Performance], float | None]], ...]]] = {
    "response": (("response", lambda it: 1 / it.mean_ms if it.mean_ms else None),),
    "cpu and memory": (
        ("cpu", lambda it: None if it.cpu_ratio is None else 1 - it.cpu_ratio / 2),
        ("memory", lambda it: None if it.memory_ratio is None else 1 - it.memory_ratio / 2),
    ),
    "free": (("free", lambda it: 1 - it.busy_ratio / 2),),
    "success": (("success", lambda it: max(LEAST_SUCCESS, 1 - it.error_ratio)),),
}


def _relative(compared: Sequence[Performance]) -> dict[str, Relative]:
    """Compare by the terms that all of them know; a term that one of them lacks could not be compared."""
    terms = _known_terms(compared)
    means = {term: math.fsum(map(math.log, values)) / len(values) for term, values in terms.items()}
    whole = sum(SHARES[term] for term in terms)
    found = {}
    for position, it in enumerate(compared):
        own = {term: values[position] for term, values in terms.items()}
        score = math.prod((own[term] / _best(terms[term], term)) ** (SHARES[term] / whole) for term in terms)
        # As response times go alone, so go the weights: twice as quick, twice the calls.
        power = sum(SHARES[term] / SHARES["response"] * (math.log(own[term]) - means[term]) for term in terms)
        found[it.name] = Relative(target=math.exp(power), score=score, reason=_in_words(it, score))
    return found


def _known_terms(compared: Sequence[Performance]) -> dict[str, list[float]]:
    terms = {}
    for term, parts in _TERMS.items():
        columns = [[part(it) for it in compared] for _, part in parts]
        known = [column for column in columns if None not in column]
        if known:
            rows = zip(*known, strict=True)
            terms[term] = [sum(v for v in row if v is not None) / len(row) for row in rows]
    return terms


def _best(values: Sequence[float], term: str) -> float:
    """Return what counts as 1: for response times the quickest, for the rest all of it."""
    return max(values) if term == "response" else 1.0


def _in_words(it: Performance, score: float) -> str:
    parts = [f"score {score:.2f}", f"{it.calls} calls"]
    if it.mean_ms is not None:
        parts.append(f"{it.mean_ms:.0f} ms")
    parts += [f"{it.busy_ratio:.0%} busy", f"{it.error_ratio:.1%} errors"]
    for word, ratio in (("cpu", it.cpu_ratio), ("memory", it.memory_ratio)):
        if ratio is not None:
            parts.append(f"{word} {ratio:.0%}")
    return ", ".join(parts)

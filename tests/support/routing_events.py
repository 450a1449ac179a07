"""Random events of the routing scripts, for their comparison with the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from dispatcher.routing.leases import Outcome, PickMode, WaitingOrder

PICK_MODES: Final[tuple[PickMode, ...]] = ("", "spare", "offer", "offer", "probe", "relief")
OUTCOMES: Final[tuple[Outcome, ...]] = ("ok", "ok", "ok", "failed", "failed", "ignored", "probed")
PAUSES_MS: Final = (0, 1, 40, 300, 1_000, 2_100, 5_000, 6_000, 12_000, 61_000)
FIRST_COME: Final = WaitingOrder()
ORDERS: Final = (
    *(FIRST_COME, WaitingOrder(sharer="one"), WaitingOrder(sharer="one"), WaitingOrder(sharer="two")),
    *(
        WaitingOrder(waiting_class=1),
        WaitingOrder(due_ms=1_000_000),
        WaitingOrder(sharer="two", due_ms=1_000_500),
    ),
)
KINDS: Final = (
    *("pick",) * 8,
    *("poll",) * 3,
    *("finish",) * 7,
    *("pause",) * 4,
    *("renew", "leave", "drain", "mark_down"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One event of an example; each kind takes of the values what it needs."""

    kind: str
    which: int
    mode: PickMode
    order: WaitingOrder
    outcome: Outcome
    dice: float
    pause_ms: int
    latency_ms: int
    retry_after_ms: int | None
    dialogue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """What an example is mostly about."""

    kinds: Sequence[str] = KINDS
    outcomes: Sequence[Outcome] = OUTCOMES
    pauses_ms: Sequence[int] = PAUSES_MS

    def step(self, number: int) -> Step:
        """Return the step that a number stands for: one draw for each step makes examples quickly."""
        drawn = Random(number)
        return Step(
            kind=drawn.choice(self.kinds),
            which=drawn.randrange(10),
            mode=drawn.choice(PICK_MODES),
            order=drawn.choice(ORDERS),
            outcome=drawn.choice(self.outcomes),
            dice=drawn.random(),
            pause_ms=drawn.choice(self.pauses_ms),
            latency_ms=drawn.choice((5, 100, 150, 400, 900, 4_000)),
            retry_after_ms=drawn.choice((*(None,) * 9, 7_000)),
            dialogue=drawn.choice(("", "one", "one", "two")),
        )


CALLS: Final = ("pick", "finish")
CALM, FLAPPING = Mood(), Mood(kinds=(*CALLS, *CALLS, "pause"), pauses_ms=(1_000, 6_000, 12_000))
CROWDED = Mood(kinds=(*CALLS, *CALLS, "poll"), outcomes=("ok", "failed"), pauses_ms=(0,))
SLOW = Mood(kinds=(*CALLS, "pause"), outcomes=("ok", "ignored", "probed"), pauses_ms=(1_000, 5_000, 12_000))
MOODS: Final = (CALM, FLAPPING, CROWDED, SLOW)

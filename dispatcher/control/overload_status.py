"""Overload as an operator sees it: the step of each front, the line, who was turned away, and a pin."""

from __future__ import annotations

import asyncio
import getpass
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dispatcher.control.overrides import OVERLOAD_PIN, OverloadPin, read_overrides, set_override
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.rules.overload import OverloadStep
from dispatcher.telemetry.front_presence import FrontCounts, read_fronts

# What an operator may pin: a step by its number, or that the load decides.
AUTO: Final = "auto"
PIN_CHOICES: Final = (*(str(int(step)) for step in OverloadStep), AUTO)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverloadStatus:
    """Overload at one moment; fronts publish every three seconds.

    Attributes:
        step: the highest one that a front has taken.
        means: that step in words.
        line_s: the longest line that a front sees.
        turned_away: turns that were, since the fronts started.
        fronts: step of each.
        pin: what an operator chose; None where the load decides.
    """

    step: int = 0
    means: str = OverloadStep.FULL.words
    line_s: float = 0.0
    turned_away: int = 0
    fronts: Mapping[str, int] = field(default_factory=dict)
    pin: OverloadPin | None = None

    def in_words(self) -> str:
        """Return a line for people; empty where there is nothing to tell."""
        if not self.step and self.pin is None and not self.turned_away:
            return ""
        pinned = f"; {self.pin.in_words()}" if self.pin else ""
        away = f"; {self.turned_away} turns turned away since the fronts started" if self.turned_away else ""
        taken = f"overload: step {self.step} of {max(OverloadStep):d}, {self.means}"
        return f"{taken}; a line of {self.line_s:.1f} s{away}{pinned}"


async def read_overload(redis: RedisClient) -> OverloadStatus:
    """Return the overload as it is now.

    Raises:
        StateError: Redis is out of reach.
    """
    fronts, overrides = await asyncio.gather(read_fronts(redis), read_overrides(redis))
    return overload_of(fronts, overrides.overload_pin)


def overload_of(fronts: Mapping[str, FrontCounts], pin: OverloadPin | None) -> OverloadStatus:
    """Return the overload that fronts have published."""
    step = max((front.overload_step for front in fronts.values()), default=0)
    return OverloadStatus(
        step=step,
        means=OverloadStep(step).words,
        line_s=max((front.line_ms for front in fronts.values()), default=0) / 1000,
        turned_away=sum(front.turned_away for front in fronts.values()),
        fronts={front_id: front.overload_step for front_id, front in fronts.items()},
        pin=pin,
    )


async def pin_as_chosen(redis: RedisClient, choice: str, *, by: str = "") -> str:
    """Pin one of PIN_CHOICES as `pin_step` does, and return what holds then in words."""
    pinned = await pin_step(redis, None if choice == AUTO else int(choice), by=by)
    return f"overload: {pinned.in_words()}" if pinned else "overload: the load decides from now on"


async def pin_step(redis: RedisClient, step: int | None, *, by: str = "") -> OverloadPin | None:
    """Have all fronts take a step, whatever the load is; None lets the load decide again.

    `by` says who wants it; without it, the user of this process.

    Raises:
        StateError: Redis is out of reach.
    """
    # A pin is words with spaces between them.
    who = "_".join((by or _operator()).split())
    pin = None if step is None else OverloadPin(step=step, by=who, at_s=round(time.time()))
    await set_override(redis, OVERLOAD_PIN, pin.as_text() if pin else None)
    return pin


def _operator() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError, ImportError):  # no such user, as in many a container
        return socket.gethostname()

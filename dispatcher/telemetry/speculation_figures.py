"""Figures of speculation over all fronts: what was begun ahead, and what of it was in vain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text

Figure = Literal["started", "committed", "wasted", "calls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeculationFigures:
    """Figures since the Redis was new.

    Attributes:
        started, committed: turns that began at a pause, and those of them whose pause was the end.
        wasted: LLM calls that were made for speech that went on, or that a real call ended.
        calls: turns that an LLM answered, begun ahead or not; a front writes them with its next start.
    """

    started: int = 0
    committed: int = 0
    wasted: int = 0
    calls: int = 0

    @property
    def waste_ratio(self) -> float:
        """Share of all LLM calls that was in vain."""
        return self.wasted / max(1, self.calls + self.wasted)

    def in_words(self) -> str:
        """Return them as one line for people."""
        return (
            f"speculation: {self.started} turns begun at a pause, {self.committed} of them played, "
            f"{self.wasted} of {self.calls + self.wasted} LLM calls in vain ({self.waste_ratio:.0%})"
        )


NO_SPECULATION: Final = SpeculationFigures()


async def count(redis: RedisClient, figure: Figure, number: int = 1) -> None:
    """Count so many more.

    Raises:
        StateError: Redis is out of reach.
    """
    await redis.execute("HINCRBY", keys.SPECULATION, figure, number)


async def read_figures(redis: RedisClient) -> SpeculationFigures:
    """Return the figures.

    Raises:
        StateError: Redis is out of reach.
    """
    written = as_text(await redis.execute("HGETALL", keys.SPECULATION))
    return SpeculationFigures(**{name: int(written.get(name, 0)) for name in SpeculationFigures.__slots__})

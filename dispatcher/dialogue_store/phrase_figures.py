"""Figures of the phrase cache: hits, bytes, and what its hits are worth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from dispatcher.dialogue.phrases import RECENT_HALF_LIFE_S
from dispatcher.errors import StateError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text

MB: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseFigures:
    """Figures of the cache.

    Attributes:
        hits, misses, stored, evicted: since its Redis started.
        used_bytes: of packets that are kept.
        saved_s: time of TTS calls that recent hits made needless; a hit counts half after ten minutes.
        evicted_bytes: put out recently to make room, counted likewise.
    """

    hits: int = 0
    misses: int = 0
    stored: int = 0
    evicted: int = 0
    used_bytes: int = 0
    saved_s: float = 0.0
    evicted_bytes: float = 0.0

    @property
    def saved_s_per_mb(self) -> float:
        """Return what a megabyte of the cache is worth: seconds of TTS calls that its recent hits saved."""
        return self.saved_s / max(self.used_bytes / MB, 0.001)

    def in_words(self) -> str:
        """Return them as one line for people."""
        asked = self.hits + self.misses
        share = self.hits / asked if asked else 0.0
        return (
            f"phrase cache: {self.hits} of {asked} phrases from it ({share:.0%}), "
            f"{self.used_bytes / MB:.1f} MB kept, {self.evicted} put out, "
            f"{self.saved_s:.1f} s of TTS calls saved lately"
        )


async def read_figures(cache: RedisClient) -> PhraseFigures:
    """Return the figures of the cache.

    Raises:
        StateError: the cache is out of reach.
    """
    written = as_text(await cache.execute("HGETALL", keys.phrases("figures")))
    now_ms = time.time() * 1000

    def number(name: str) -> float:
        return float(written.get(name, 0))

    def recent(name: str) -> float:
        age_s = max(0.0, now_ms - number(f"{name}_at_ms")) / 1000
        return float(number(name) * 2 ** (-age_s / RECENT_HALF_LIFE_S))

    return PhraseFigures(
        hits=int(number("hits")),
        misses=int(number("misses")),
        stored=int(number("stored")),
        evicted=int(number("evicted")),
        used_bytes=max(0, int(number("bytes"))),
        saved_s=recent("saved_ms") / 1000,
        evicted_bytes=recent("evicted_bytes"),
    )


async def read_figures_if_there(cache: RedisClient) -> PhraseFigures | None:
    """Return the figures of the cache; None where it is out of reach, which stops nobody from looking."""
    try:
        return await read_figures(cache)
    except StateError:
        return None

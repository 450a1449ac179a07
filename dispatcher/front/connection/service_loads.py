"""Loads of the services as a front sees them: a reading of a moment ago, and what the front sent since."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

from dispatcher.catalogue.model import Catalogue
from dispatcher.errors import StateError
from dispatcher.messages import SERVICES, Service
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.applied_budgets import read_barred
from dispatcher.routing.rules.prediction import ServiceLoad, first_audio_s, line_s
from dispatcher.routing.service_loads import read_loads

# A turn waits for its task from before Redis has it, and for its age from before Redis tells it.
WAY_TOLERANCE_S: Final = 0.5


class ServiceLoads:
    """The newest reading.

    Attributes:
        current: load of each service; empty while nothing is known, such as without Redis.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self.current: Mapping[Service, ServiceLoad] = {}
        self._sent: Counter[Service] = Counter()
        self._noted = self._read_up_to = 0
        self._read_at_s = 0.0
        self._unserved_since_s: Mapping[Service, float] = {}

    @property
    def unserved_s(self) -> dict[Service, float]:
        """For how long each queue has had no worker that shows life; one that has some is left out."""
        now_s = time.monotonic()
        return {service: now_s - since_s for service, since_s in self._unserved_since_s.items()}

    @property
    def queued_s(self) -> dict[Service, float]:
        """For how long the oldest task of each queue may have been there by now; 0 where none is."""
        since_s = time.monotonic() - self._read_at_s + WAY_TOLERANCE_S
        return {
            service: load.queued_s + since_s if load.queued else 0.0 for service, load in self.current.items()
        }

    async def refresh(self, redis: RedisClient, catalogue: Catalogue) -> None:
        """Read the loads again; without Redis they are unknown."""
        before, noted = self._sent.copy(), self._noted
        try:
            barred = await read_barred(redis, catalogue) if catalogue.usage.budgets else {}
            self.current = await read_loads(redis, barred=barred)
            self._read_at_s = time.monotonic()
        except StateError:  # the reply pump logs that Redis is unreachable
            self.current = {}
        self._unserved_since_s = {
            service: self._unserved_since_s.get(service, self._read_at_s)
            for service, load in self.current.items()
            if not load.workers
        }
        self._sent -= before
        self._read_up_to = noted

    def note_turn(self, *, typed: bool) -> int:
        """Count a turn whose calls are not in the reading yet; return its number, which leaves it out."""
        self._sent.update(SERVICES[1:] if typed else SERVICES)
        self._noted += 1
        return self._noted

    def line_s(self, stage: Service, *, turn: int = 0) -> float:
        """Return how long the lines are that a turn has before it from a stage on, as `line_s` does.

        `turn` is the number of the one that asks: nobody waits for themselves.
        """
        return line_s(self.current, stage=stage, sent=self._sent_beside(turn))

    def predicted_s(self, stage: Service, begun_s: float = 0.0, *, turn: int = 0) -> float:
        """Return in how many seconds a turn's first audio is to be expected, as `first_audio_s` does."""
        return first_audio_s(self.current, stage=stage, begun_s=begun_s, sent=self._sent_beside(turn))

    def _sent_beside(self, turn: int) -> Counter[Service]:
        """Return what was sent since the reading, without the calls of a turn."""
        if turn <= self._read_up_to:
            return self._sent
        return Counter({service: count - 1 for service, count in self._sent.items()})

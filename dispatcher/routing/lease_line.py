"""Calls of one process that wait in line for a free slot, in the order of waiting_order.lua."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from dispatcher.messages import Service
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import leases

# A call that finds every slot taken is notified when it is its turn; it polls as often as this, to
# keep its place in line and to find slots whose holder died.
LEASE_POLL_INTERVAL_S: Final = 0.25
# With so many in front of it a call is served no sooner for looking; its place lasts for two seconds.
FAR_BEHIND: Final = 16
FAR_POLL_INTERVAL_S: Final = 1.0


class WaitingLine:
    """The calls that wait.

    Attributes:
        on_changed: called when a call begins or ends to wait, and when one has its slot.
    """

    def __init__(self, redis: RedisClient) -> None:
        """Have none in line."""
        self.on_changed: Callable[[], None] = lambda: None
        self._redis = redis
        self._freed: dict[str, asyncio.Event] = {}
        self._lease_ids: set[str] = set()

    def __len__(self) -> int:
        """Return how many calls wait."""
        return len(self._lease_ids)

    async def wait(self, service: Service, lease_id: str, *, ahead: int) -> None:
        """Return when a slot became free for this call, or after a while; it is in line until `end`."""
        if lease_id not in self._lease_ids:
            self._lease_ids.add(lease_id)
            self.on_changed()
        freed = self._freed[lease_id] = asyncio.Event()
        try:
            async with asyncio.timeout(FAR_POLL_INTERVAL_S if ahead >= FAR_BEHIND else LEASE_POLL_INTERVAL_S):
                await freed.wait()
        except TimeoutError:
            return
        except asyncio.CancelledError:
            leases.leave(self._redis, service, lease_id)
            raise
        finally:
            del self._freed[lease_id]

    def wake(self, lease_id: str) -> None:
        """Let a waiting call look again: a slot is free and it is the first in line."""
        freed = self._freed.get(lease_id)
        if freed is not None:
            freed.set()

    def end(self, lease_id: str) -> None:
        """Count a call as in line no more: it has its slot, or gave up."""
        if lease_id in self._lease_ids:
            self._lease_ids.discard(lease_id)
            self.on_changed()

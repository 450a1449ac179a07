"""Calls on spare slots: behind every real call, and ended where a real call waits for their slot.

Requests that only have an LLM read a prompt ahead are made so, and those of a speculative turn. Such a call
does not wait for a slot, leaves half of an instance's slots free, and is marked, so that a real call that
finds every slot taken has the youngest of them end (docs/adr/0042-prefill.md, 0041-speculation.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final

from dispatcher.catalogue.model import Instance
from dispatcher.errors import NoInstanceAvailable, SpareSlotTaken
from dispatcher.messages import Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.lua_script import Script
from dispatcher.routing.leases import Slot, WaitingOrder
from dispatcher.routing.rules.constants import SLOT_KEYS_TTL_MS, SPARE_CLASS, SPARE_SLOTS_RATIO

YIELD_CHANNEL: Final = "yield"
SPARE_ORDER: Final = WaitingOrder(waiting_class=SPARE_CLASS)
_YIELD: Final = Script.load("dispatcher.routing", "yield_slot", repeatable=True)


async def ask_for_slot(redis: RedisClient, service: Service, excluded: Collection[str]) -> bool:
    """Have one call on a spare slot end for a real call; return whether there was one.

    Args:
        redis: connection to the shared state.
        service: of the real call.
        excluded: instances that it cannot use.

    Raises:
        StateError: Redis is out of reach.
    """
    named = {
        "excluded": ",".join(excluded),
        "leases_prefix": keys.leases(service, ""),
        "committed_prefix": keys.committed(""),
        "yield_channel": YIELD_CHANNEL,
    }
    return bool(await redis.run(_YIELD, keys={"spare": keys.spare(service)}, arguments=named))


class SpareSlots:
    """Calls of this process on spare slots, by their leases.

    Attributes:
        on_changed: called when a call begins or ends.
    """

    def __init__(self, redis: RedisClient) -> None:
        """Have none."""
        self.on_changed: Callable[[], object] = lambda: None
        self._redis = redis
        self._tasks: dict[str, asyncio.Task[object]] = {}
        self._asked: set[str] = set()

    def __len__(self) -> int:
        """Return how many calls there are."""
        return len(self._tasks)

    @contextmanager
    def held(self, slot: Slot, instance: Instance, turn_id: str) -> Iterator[None]:
        """Let a real call take the slot while the block lasts and the turn is not committed.

        Raises:
            NoInstanceAvailable: the slot was no spare one.
            SpareSlotTaken: a real call took it.
            StateError: too many commands wait for Redis already.
        """
        if "panic" in slot.reason or slot.in_flight > max(1.0, instance.max_concurrent * SPARE_SLOTS_RATIO):
            raise NoInstanceAvailable(slot.service, "no slot to spare")
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("held() belongs inside a coroutine")
        self._mark(slot, turn_id)
        self._tasks[slot.lease_id] = task
        self.on_changed()
        try:
            yield
        except asyncio.CancelledError:
            # A barge-in beside it is one more request to cancel, which stays.
            if slot.lease_id in self._asked and task.uncancel() == 0:
                raise SpareSlotTaken(slot.service) from None
            raise
        finally:
            del self._tasks[slot.lease_id]
            self._asked.discard(slot.lease_id)
            self.on_changed()

    def give_up(self, lease_id: str) -> None:
        """End a call for the real call that waits; one that this process does not make is another's."""
        task = self._tasks.get(lease_id)
        if task is not None and lease_id not in self._asked:
            self._asked.add(lease_id)
            task.cancel()

    def _mark(self, slot: Slot, turn_id: str) -> None:
        key, began_ms = keys.spare(slot.service), time.time() * 1000
        self._redis.send_nowait("HSET", key, slot.lease_id, f"{slot.name} {began_ms:.0f} {turn_id}")
        self._redis.send_nowait("PEXPIRE", key, SLOT_KEYS_TTL_MS)

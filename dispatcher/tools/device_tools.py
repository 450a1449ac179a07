"""The worker's end of the way to a device: what it can do, a call sent out, its answer waited for."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import structlog

from dispatcher.messages import Reply, TurnTicket
from dispatcher.redis_client.client import RedisClient
from dispatcher.tools import device_calls
from dispatcher.tools.model import ListedTool, ToolResult
from dispatcher.turn_store import replies

log = structlog.get_logger(__name__)

# Devices of one firmware share a list, so a house has two or three of them.
KNOWN_LISTS: Final = 32


class DeviceTools:
    """The tools of devices, as the turns of one process use them."""

    def __init__(self, redis: RedisClient) -> None:
        """Send and read on the line."""
        self._redis = redis
        self._lists: dict[str, tuple[ListedTool, ...]] = {}
        self._events: dict[str, asyncio.Event] = {}

    async def listed(self, digest: str) -> tuple[ListedTool, ...]:
        """Return what a list names; nothing where it is not kept any more.

        Raises:
            StateError: Redis is out of reach.
        """
        if not digest:
            return ()
        if digest not in self._lists:
            found = await device_calls.read(self._redis, digest)
            if found is None:
                log.warning("list of device tools is gone, the turn goes without")
                return ()
            if len(self._lists) >= KNOWN_LISTS:
                self._lists.pop(next(iter(self._lists)))
            self._lists[digest] = found
        return self._lists[digest]

    async def call(
        self, ticket: TurnTicket, tool: str, arguments: Mapping[str, Any], *, timeout_s: float
    ) -> ToolResult:
        """Have the device that holds the turn do something, and return what became of it.

        Raises:
            StateError: Redis is out of reach.
        """
        call = device_calls.DeviceCall(call_id=uuid.uuid4().hex, tool=tool, arguments=arguments)
        event = self._events[call.call_id] = asyncio.Event()
        wanted = Reply(turn_id=ticket.turn_id, attempt=ticket.attempt, kind="tool", text=call.as_text())
        replies.send(self._redis, ticket.reply_stream, wanted)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await event.wait()
        finally:
            del self._events[call.call_id]
        # Also after a time-out: the subscription may have been down when it was published.
        result = await device_calls.read_answer(self._redis, call.call_id)
        return result or ToolResult(
            text="the device did not answer in time, so it is not known whether it was done", failed=True
        )

    def wake(self, call_id: str) -> None:
        """Wake the coroutine that waits for a call; the calls of other processes are not known."""
        event = self._events.get(call_id)
        if event is not None:
            event.set()

"""Presence of a front in Redis: its devices, when each last sent something, and what it does."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from dispatcher.errors import StateError
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.messages import DevicePresence
from dispatcher.telemetry import front_presence


class PresenceLoop:
    """Loop that publishes the counts of one front."""

    def __init__(self, context: FrontContext) -> None:
        """Publish nothing yet."""
        self._context = context

    async def run(self) -> None:
        """Publish until cancelled; what was published expires soon after."""
        while True:
            with suppress(StateError):  # the reply pump logs that Redis is unreachable
                self.publish()
            await asyncio.sleep(front_presence.PRESENCE_INTERVAL_S)

    def publish(self) -> None:
        """Publish the counts of this moment.

        Raises:
            StateError: too many commands wait for Redis already.
        """
        context = self._context
        devices = {
            device_id: DevicePresence(heard_at_s=device.received_at_s, activity=device.activity)
            for device_id, device in context.devices.items()
        }
        counts = front_presence.FrontCounts(
            devices=len(devices),
            busy=sum(bool(device.activity) for device in devices.values()),
            in_turn=len(context.turns),
            turns_begun=context.turns.begun,
            overload_step=int(context.ladder.step),
            line_ms=round(context.ladder.line_s * 1000),
            turned_away=context.ladder.turned_away,
        )
        front_presence.publish(context.redis, context.front_id, counts, devices)

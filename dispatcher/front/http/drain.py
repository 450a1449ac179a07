"""Drain of a front that stops: idle devices at once, the others when what they began has ended."""

from __future__ import annotations

import asyncio
from typing import Final

from dispatcher.front.connection.connected_device import DRAINED, DRAINED_CODE, ConnectedDevice
from dispatcher.front.connection.front_context import FrontContext

DRAIN_POLL_INTERVAL_S: Final = 0.05


async def drain(context: FrontContext) -> None:
    """Close the connections of all devices, in the order in which they can be spared.

    A device that is neither in a turn nor in the middle of an utterance goes at once: it would begin its next
    turn here, and lose it. One that is gets `drain_s` to play the whole answer.
    """
    context.status.draining = True
    closing: dict[ConnectedDevice, asyncio.Task[None]] = {}
    loop = asyncio.get_running_loop()
    gives_up_at = loop.time() + context.settings.drain_s
    while any(device not in closing for device in context.devices.values()):
        is_late = loop.time() >= gives_up_at
        for device in list(context.devices.values()):
            if device not in closing and (is_late or not device.awaits_answer):
                going = device.writer.close(code=DRAINED_CODE, reason=DRAINED)
                closing[device] = loop.create_task(going)
        if not is_late:
            await asyncio.sleep(DRAIN_POLL_INTERVAL_S)
    # The sockets themselves bound how long a silent peer is waited for.
    await asyncio.gather(*closing.values(), return_exceptions=True)

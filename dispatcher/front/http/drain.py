"""How a front goes: idle devices at once, the others when what they began has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dispatcher.front.connection.front_context import ConnectedDevice, FrontContext

LOOK_AGAIN_S: Final = 0.05
# 1001, "going away": a client that knows the word connects anew, and finds another front or the next start.
CODE: Final = 1001
REASON: Final = b"server stops"


async def drain(context: FrontContext) -> None:
    """Send every device away, in the order in which they can be spared.

    A device that is neither in a turn nor in the middle of an utterance goes at once: it would begin its next
    turn here, and lose it. One that is gets `drain_s` to hear the whole answer.
    """
    context.draining = True
    leaving = _Leaving()
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + context.settings.drain_s
    while context.devices and loop.time() < give_up_at:
        leaving.send(device for device in context.devices.values() if not device.is_owed)
        await asyncio.sleep(LOOK_AGAIN_S)
    leaving.send(context.devices.values())
    await leaving.gone()


async def send_away(device: ConnectedDevice) -> None:
    """Close the socket of one device because the front stops."""
    await device.close(code=CODE, reason=REASON)


class _Leaving:
    """The devices that were told to go, each once."""

    def __init__(self) -> None:
        self._closing: dict[ConnectedDevice, asyncio.Task[None]] = {}

    def send(self, devices: Iterable[ConnectedDevice]) -> None:
        """Close the sockets of these."""
        for device in [each for each in devices if each not in self._closing]:
            self._closing[device] = asyncio.get_running_loop().create_task(send_away(device))

    async def gone(self) -> None:
        """Wait until all are closed; the sockets themselves bound how long a silent peer is waited for."""
        await asyncio.gather(*self._closing.values(), return_exceptions=True)

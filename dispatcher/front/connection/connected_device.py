"""A connected device as the rest of the front uses it, and the commands of an operator for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import structlog

from dispatcher.devices.device_commands import DeviceCommand
from dispatcher.front.connection.device_writer import DeviceWriter
from dispatcher.messages import Activity

log = structlog.get_logger(__name__)

# RFC 6455: the endpoint closes because of its policy.
BLOCKED_CODE: Final = 1008
# "Going away": a client that knows the word connects anew, and finds another front or the next start.
DRAINED_CODE: Final = 1001
DRAINED: Final = b"server stops"


class ConnectedDevice(Protocol):
    """The connection of one device.

    Attributes:
        writer: to its socket; when that is closed, the connection ends and drops its turn.
    """

    writer: DeviceWriter

    @property
    def received_at_s(self) -> float:
        """Unix time of the last frame."""
        ...

    @property
    def activity(self) -> Activity:
        """What it does at this moment; "" where nobody talks to it."""
        ...

    @property
    def awaits_answer(self) -> bool:
        """Whether it has begun something that it awaits the answer of: a turn, or an utterance."""
        ...

    def invalidate_profile(self) -> None:
        """Read the registry again with the next turn."""
        ...


async def handle(devices: Mapping[str, ConnectedDevice], command: DeviceCommand) -> bool:
    """Carry out the command of an operator; return whether the device is connected to this front."""
    device = devices.get(command.device_id)
    if device is None:
        return False
    match command.kind:
        case "reboot":
            device.writer.send("system", command="reboot")
        case "alert":
            device.writer.send("alert", **command.fields)
        case "block":
            await device.writer.close(code=BLOCKED_CODE, reason=b"blocked")
        case "reread":
            device.invalidate_profile()
    log.info("device command done", device=command.device_id, command=command.kind)
    return True


def invalidate_profiles(devices: Mapping[str, ConnectedDevice]) -> None:
    """Read the registry again for every device: a command may have been lost on a broken connection."""
    for device in devices.values():
        device.invalidate_profile()

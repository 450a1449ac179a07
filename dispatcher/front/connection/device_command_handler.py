"""What this front does for an operator with a device that it holds."""

from __future__ import annotations

import structlog

from dispatcher.devices.device_commands import DeviceCommand
from dispatcher.front.connection.device_profile import BLOCKED_CODE
from dispatcher.front.connection.front_context import FrontContext

log = structlog.get_logger(__name__)


async def carry(context: FrontContext, errand: DeviceCommand) -> bool:
    """Do what an errand says; return whether the device is here."""
    device = context.devices.get(errand.device_id)
    if device is None:
        return False
    match errand.kind:
        case "reboot":
            device.tell("system", command="reboot")
        case "alert":
            device.tell("alert", **errand.fields)
        case "block":
            await device.close(code=BLOCKED_CODE, reason=b"blocked")
        case "reread":
            device.reread()
    log.info("errand done", device=errand.device_id, errand=errand.kind)
    return True


def look_again(context: FrontContext) -> None:
    """Ask anew what is known of every device: an errand may have been lost on a broken connection."""
    for device in context.devices.values():
        device.reread()

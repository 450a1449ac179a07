"""Commands of an operator for a connected device."""

from __future__ import annotations

from dispatcher.devices.device_commands import CommandKind, DeviceCommand
from dispatcher.front.connection.connected_device import handle, invalidate_profiles
from tests.unit.front.fakes import FakeDevice


async def carried_out(kind: CommandKind, **fields: str) -> FakeDevice:
    """Return a device for which a command was carried out."""
    device = FakeDevice()
    assert await handle({"d": device}, DeviceCommand(device_id="d", kind=kind, fields=fields))
    return device


async def test_a_device_is_rebooted_and_alerted() -> None:
    assert (await carried_out("reboot")).socket.messages == [{"type": "system", "command": "reboot"}]
    alert = await carried_out("alert", status="Hello", message="there", emotion="happy")
    assert alert.socket.messages == [
        {"type": "alert", "status": "Hello", "message": "there", "emotion": "happy"}
    ]


async def test_a_blocked_device_is_disconnected() -> None:
    assert (await carried_out("block")).socket.closed_by == (1008, b"blocked")


async def test_a_change_of_the_registry_is_read_again() -> None:
    assert (await carried_out("reread")).invalidated == 1
    device = FakeDevice()
    invalidate_profiles({"d": device})
    assert device.invalidated == 1


async def test_a_device_that_is_not_connected_is_said_to_be_elsewhere() -> None:
    assert not await handle({}, DeviceCommand(device_id="d", kind="reboot"))

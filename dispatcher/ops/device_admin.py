"""Operator actions on devices: marks in the registry, and commands to the front that holds a device.

Each returns the line that tells what was done.
"""

from __future__ import annotations

import json
from typing import Final

from rich.console import RenderableType

from dispatcher.devices import device_commands, registry
from dispatcher.devices.device_commands import DeviceCommand
from dispatcher.devices.device_lookup import called, find, find_by_code
from dispatcher.devices.device_tables import as_json, device_view, devices_view
from dispatcher.devices.registry import OperatorField, Registered
from dispatcher.dialogue_store import memory, phrase_cache
from dispatcher.errors import DispatcherError, StateError, UnknownName
from dispatcher.ops.redis_session import cache_session
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.telemetry import front_presence

DEFAULT: Final = "default"


async def list_devices(redis: RedisClient, *, json_wanted: bool) -> RenderableType:
    """Return known devices, the latest seen first, as a table or as JSON."""
    found = await registry.read_all(redis)
    connected = await front_presence.read_connected(redis)
    if not json_wanted:
        return devices_view(found, connected)
    known = [as_json(device, connected.get(device.device_id)) for device in found]
    return json.dumps(known, ensure_ascii=False)


async def show_device(redis: RedisClient, word: str, *, json_wanted: bool) -> RenderableType:
    """Return all that is known of a device; of its users only how much is remembered."""
    device = await find(redis, word)
    remembered = len((await memory.read(redis, device.device_id)).text)
    presence = (await front_presence.read_connected(redis)).get(device.device_id)
    if not json_wanted:
        return device_view(device, presence, remembered=remembered)
    known = {**as_json(device, presence), "remembered_characters": remembered}
    return json.dumps(known, ensure_ascii=False)


async def mark(redis: RedisClient, word: str, field: OperatorField, value: str) -> str:
    """Set a field of a device, also for a connection under way; an empty value goes by the default."""
    device = await find(redis, word)
    await registry.set_field(redis, device.device_id, field, value)
    await _reread(redis, device)
    what = f"{field} {value}" if value else f"{field} as by default"
    return f"{called(device)}: {what if field != 'blocked' else 'let in again'}"


async def set_persona(redis: RedisClient, word: str, persona: str) -> str:
    """Give a device a persona of the active catalogue; `default` leaves it to the YAML.

    Raises:
        UnknownName: no persona, or no device, is called so.
    """
    device = await find(redis, word)
    active = await instance_table.read_active(redis)
    known = active.catalogue.conversation.persona_names if active else ()
    if persona != DEFAULT and persona not in known:
        there_are = ", ".join(known) or "none in the YAML in force"
        raise UnknownName(f"no persona is called {persona!r}; there are {there_are}")
    return await mark(redis, device.device_id, "persona", "" if persona == DEFAULT else persona)


async def block(redis: RedisClient, word: str) -> str:
    """Refuse a device from now on; one that is connected is cut off."""
    device = await find(redis, word)
    await registry.set_field(redis, device.device_id, "blocked", "1")
    went = await device_commands.send(redis, DeviceCommand(device_id=device.device_id, kind="block"))
    return f"{called(device)}: blocked{', and cut off' if went == 'done' else ''}"


async def activate(redis: RedisClient, word: str | None) -> list[str]:
    """Let the device in that shows a code, or all known devices where no word is given."""
    chosen = [await find_by_code(redis, word)] if word else await registry.read_all(redis)
    for device in chosen:
        await registry.set_field(redis, device.device_id, "activated", "1")
    return [f"{called(device)}: activated" for device in chosen]


async def admit(redis: RedisClient, word: str) -> str:
    """Let the client that waits be the device, instead of the one before.

    Raises:
        DispatcherError: none waits.
    """
    device = await find(redis, word)
    if not await registry.admit(redis, device.device_id):
        raise DispatcherError(
            f"{called(device)}: no other client waits to be admitted; "
            "one does after it was refused, and `dispatcher devices list` shows it"
        )
    await _reread(redis, device)
    return f"{called(device)}: admitted; speak to it again, it connects anew"


async def forget(redis: RedisClient, word: str, *, entirely: bool) -> str:
    """Erase the dialogue with a device and all that is remembered of its users; entirely, the device too."""
    device = await find(redis, word)
    await memory.forget(redis, device.device_id)
    if entirely:
        await registry.remove(redis, device.device_id)
    await _reread(redis, device)
    try:
        async with cache_session(redis) as cache:  # nobody can tell which of its phrases this device heard
            await phrase_cache.clear(cache)
    except StateError as error:
        raise StateError(
            f"{called(device)}: erased, but phrases that it heard may be kept: {error}"
        ) from error
    return f"{called(device)}: {'forgotten' if entirely else 'its dialogue and memory are erased'}"


async def reboot(redis: RedisClient, word: str) -> str:
    """Restart a connected device.

    Raises:
        DispatcherError: it is not connected.
    """
    device = await find(redis, word)
    return await _send(redis, device, DeviceCommand(device_id=device.device_id, kind="reboot"), "restarts")


async def alert(redis: RedisClient, word: str, **fields: str) -> str:
    """Show a message on a connected device.

    Raises:
        DispatcherError: it is not connected.
    """
    device = await find(redis, word)
    command = DeviceCommand(device_id=device.device_id, kind="alert", fields=fields)
    return await _send(redis, device, command, "shows it")


async def _reread(redis: RedisClient, device: Registered) -> None:
    await device_commands.send(redis, DeviceCommand(device_id=device.device_id, kind="reread"))


async def _send(redis: RedisClient, device: Registered, command: DeviceCommand, done: str) -> str:
    went = await device_commands.send(redis, command)
    if went != "done":
        reason = "it is not connected" if went == "not connected" else "no front answers"
        raise DispatcherError(f"{called(device)}: {reason}; a device connects when it is spoken to")
    return f"{called(device)}: {done}"

"""`dispatcher devices`: known devices, their marks, and commands to connected ones."""

from __future__ import annotations

import json
from typing import Final, get_args

import click

from dispatcher.devices import device_commands, registry
from dispatcher.devices.device_commands import DeviceCommand
from dispatcher.devices.device_lookup import called, find, find_by_code
from dispatcher.devices.device_tables import as_json, device_view, devices_view
from dispatcher.devices.registry import OperatorField, Registered
from dispatcher.dialogue_store import memory
from dispatcher.errors import DispatcherError, UnknownName
from dispatcher.messages import Language
from dispatcher.ops.redis_session import redis_command
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.telemetry import front_presence
from dispatcher.terminal.console import make_console, print_view

# Shown in lists and by voice assistants' makers; a column of SQL holds as much.
MOST_CHARACTERS: Final = 64
_DEVICE: Final = click.argument("word", metavar="DEVICE")
_JSON: Final = click.option("--json", "json_wanted", is_flag=True, help="JSON instead of a table.")


@click.group("devices")
def devices() -> None:
    """Show, name, block, let in and steer devices. DEVICE is an id, the beginning of one, or a name."""


@devices.command("list", short_help="List known devices, the latest seen first.")
@_JSON
@redis_command
async def list_devices(redis: RedisClient, *, json_wanted: bool) -> None:
    """List known devices, the latest seen first: who is connected, when each was last heard, who waits."""
    found = await registry.read_all(redis)
    connected = await front_presence.read_connected(redis)
    if json_wanted:
        known = [as_json(device, connected.get(device.device_id)) for device in found]
        click.echo(json.dumps(known, ensure_ascii=False))
    else:
        print_view(devices_view(found, connected))


@devices.command("show", short_help="Show all that is known of a device.")
@_DEVICE
@_JSON
@redis_command
async def show_device(redis: RedisClient, word: str, *, json_wanted: bool) -> None:
    """Show all that is known of a device; of its users only how much is remembered."""
    device = await find(redis, word)
    remembered = len((await memory.read(redis, device.device_id)).text)
    seen_at_s = (await front_presence.read_connected(redis)).get(device.device_id)
    if json_wanted:
        known = {**as_json(device, seen_at_s), "remembered_characters": remembered}
        click.echo(json.dumps(known, ensure_ascii=False))
    else:
        make_console().print(device_view(device, seen_at_s, remembered=remembered))


@devices.command("name", short_help="Name a device, or take the name away.")
@_DEVICE
@click.argument("name")
def name_device(word: str, name: str) -> None:
    """Call a device by a name; an empty NAME takes it away."""
    if len(name) > MOST_CHARACTERS or not name.isprintable():
        raise click.BadParameter(f"expected at most {MOST_CHARACTERS} characters, all printable")
    _mark(word, "name", name)


@devices.command("language", short_help="Fix the language of a device.")
@_DEVICE
@click.argument("language", type=click.Choice([*get_args(Language), "default"]))
def set_language(word: str, language: str) -> None:
    """Fix the language of a device; `default` leaves it to the YAML and to the device."""
    _mark(word, "language", "" if language == "default" else language)


@devices.command("persona", short_help="Give a device a persona.")
@_DEVICE
@click.argument("persona")
@redis_command
async def set_persona(redis: RedisClient, word: str, persona: str) -> None:
    """Give a device a persona of the YAML (`conversation.personas`); `default` leaves it to the YAML."""
    device = await find(redis, word)
    chosen = "" if persona == "default" else persona
    active = await instance_table.read_active(redis)
    known = active.catalogue.conversation.personas if active else {}
    if chosen and chosen not in known:
        there_are = ", ".join(known) or "none in the YAML in force"
        raise UnknownName(f"no persona is called {persona!r}; there are {there_are}")
    await _mark_device(redis, device, "persona", chosen)


@devices.command("block", short_help="Refuse a device from now on.")
@_DEVICE
@redis_command
async def block(redis: RedisClient, word: str) -> None:
    """Refuse a device from now on; one that is connected is cut off."""
    device = await find(redis, word)
    await registry.set_field(redis, device.device_id, "blocked", "1")
    went = await device_commands.send(redis, DeviceCommand(device_id=device.device_id, kind="block"))
    click.echo(f"{called(device)}: blocked{', and cut off' if went == 'done' else ''}")


@devices.command("unblock")
@_DEVICE
def unblock(word: str) -> None:
    """Let a blocked device in again."""
    _mark(word, "blocked", "")


@devices.command("activate", short_help="Let in the device that shows CODE.")
@click.argument("word", metavar="CODE|DEVICE", required=False)
@click.option("--all", "everyone", is_flag=True, help="All known devices: before ACTIVATION=on.")
@redis_command
async def activate(redis: RedisClient, word: str | None, *, everyone: bool) -> None:
    """Let a device in that shows CODE, or that is named otherwise."""
    if everyone == bool(word):
        raise click.UsageError("expected a code, a device or --all")
    chosen = [await find_by_code(redis, word)] if word else await registry.read_all(redis)
    for device in chosen:
        await registry.set_field(redis, device.device_id, "activated", "1")
        click.echo(f"{called(device)}: activated")


@devices.command("admit", short_help="Let in the client that waits to be a device.")
@_DEVICE
@redis_command
async def admit(redis: RedisClient, word: str) -> None:
    """Let the client that waits be the device, instead of the one before: after its flash was erased, say."""
    device = await find(redis, word)
    if not await registry.admit(redis, device.device_id):
        raise DispatcherError(
            f"{called(device)}: no other client waits to be admitted; "
            "one does after it was refused, and `dispatcher devices list` shows it"
        )
    await _reread(redis, device)
    click.echo(f"{called(device)}: admitted; speak to it again, it connects anew")


@devices.command("forget", short_help="Erase a dialogue and its memory.")
@_DEVICE
@click.option("--entirely", is_flag=True, help="The device too: its name, persona, blocking, activation.")
@redis_command
async def forget(redis: RedisClient, word: str, *, entirely: bool) -> None:
    """Erase the dialogue with a device and all that is remembered of its users."""
    device = await find(redis, word)
    await memory.forget(redis, device.device_id)
    if entirely:
        await registry.remove(redis, device.device_id)
    await _reread(redis, device)
    click.echo(f"{called(device)}: {'forgotten' if entirely else 'its dialogue and memory are erased'}")


@devices.command("reboot")
@_DEVICE
@redis_command
async def reboot(redis: RedisClient, word: str) -> None:
    """Restart a connected device."""
    device = await find(redis, word)
    await _send(redis, device, DeviceCommand(device_id=device.device_id, kind="reboot"), done="restarts")


@devices.command("alert")
@_DEVICE
@click.option("--message", required=True, help="What the device shows.")
@click.option("--status", default="Notice", show_default=True, help="The line above it.")
@click.option("--emotion", default="neutral", show_default=True, help="The face, such as happy or sad.")
@redis_command
async def alert(redis: RedisClient, /, word: str, **fields: str) -> None:
    """Show a message on a connected device."""
    device = await find(redis, word)
    command = DeviceCommand(device_id=device.device_id, kind="alert", fields=fields)
    await _send(redis, device, command, done="shows it")


@redis_command
async def _mark(redis: RedisClient, word: str, field: OperatorField, value: str) -> None:
    await _mark_device(redis, await find(redis, word), field, value)


async def _mark_device(redis: RedisClient, device: Registered, field: OperatorField, value: str) -> None:
    """Set a field, also for a connection under way."""
    await registry.set_field(redis, device.device_id, field, value)
    await _reread(redis, device)
    what = f"{field} {value}" if value else f"{field} as by default"
    click.echo(f"{called(device)}: {what if field != 'blocked' else 'let in again'}")


async def _reread(redis: RedisClient, device: Registered) -> None:
    await device_commands.send(redis, DeviceCommand(device_id=device.device_id, kind="reread"))


async def _send(redis: RedisClient, device: Registered, command: DeviceCommand, *, done: str) -> None:
    went = await device_commands.send(redis, command)
    if went != "done":
        reason = "it is not connected" if went == "not connected" else "no front answers"
        raise DispatcherError(f"{called(device)}: {reason}; a device connects when it is spoken to")
    click.echo(f"{called(device)}: {done}")

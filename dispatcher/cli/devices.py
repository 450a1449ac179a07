"""`dispatcher devices`: known devices, their marks, and commands to connected ones."""

from __future__ import annotations

from typing import Final, get_args

import click
from rich.console import RenderableType

from dispatcher.messages import Language
from dispatcher.ops import device_admin
from dispatcher.ops.redis_session import prints_answer
from dispatcher.redis_client.client import RedisClient

# Shown in lists and by voice assistants' makers; a column of SQL holds as much.
MOST_CHARACTERS: Final = 64
_DEVICE: Final = click.argument("word", metavar="DEVICE")
_JSON: Final = click.option("--json", "json_wanted", is_flag=True, help="JSON instead of a table.")


@click.group("devices")
def devices() -> None:
    """Show, name, block, let in and steer devices. DEVICE is an id, the beginning of one, or a name."""


@devices.command("list", short_help="List known devices, the latest seen first.")
@_JSON
@prints_answer
async def list_devices(redis: RedisClient, *, json_wanted: bool) -> RenderableType:
    """List known devices, the latest seen first: who is connected, when each was last heard, who waits."""
    return await device_admin.list_devices(redis, json_wanted=json_wanted)


@devices.command("show", short_help="Show all that is known of a device.")
@_DEVICE
@_JSON
@prints_answer
async def show_device(redis: RedisClient, word: str, *, json_wanted: bool) -> RenderableType:
    """Show all that is known of a device; of its users only how much is remembered."""
    return await device_admin.show_device(redis, word, json_wanted=json_wanted)


@devices.command("name", short_help="Name a device, or take the name away.")
@_DEVICE
@click.argument("name")
@prints_answer
async def name_device(redis: RedisClient, word: str, name: str) -> str:
    """Call a device by a name; an empty NAME takes it away."""
    if len(name) > MOST_CHARACTERS or not name.isprintable():
        raise click.BadParameter(f"expected at most {MOST_CHARACTERS} characters, all printable")
    return await device_admin.mark(redis, word, "name", name)


@devices.command("language", short_help="Fix the language of a device.")
@_DEVICE
@click.argument("language", type=click.Choice([*get_args(Language), device_admin.DEFAULT]))
@prints_answer
async def set_language(redis: RedisClient, word: str, language: str) -> str:
    """Fix the language of a device; `default` leaves it to the YAML and to the device."""
    fixed = "" if language == device_admin.DEFAULT else language
    return await device_admin.mark(redis, word, "language", fixed)


@devices.command("persona", short_help="Give a device a persona.")
@_DEVICE
@click.argument("persona")
@prints_answer
async def set_persona(redis: RedisClient, word: str, persona: str) -> str:
    """Give a device a persona of the YAML (`conversation.personas`); `default` leaves it to the YAML."""
    return await device_admin.set_persona(redis, word, persona)


@devices.command("block", short_help="Refuse a device from now on.")
@_DEVICE
@prints_answer
async def block(redis: RedisClient, word: str) -> str:
    """Refuse a device from now on; one that is connected is cut off."""
    return await device_admin.block(redis, word)


@devices.command("unblock")
@_DEVICE
@prints_answer
async def unblock(redis: RedisClient, word: str) -> str:
    """Let a blocked device in again."""
    return await device_admin.mark(redis, word, "blocked", "")


@devices.command("activate", short_help="Let in the device that shows CODE.")
@click.argument("word", metavar="CODE|DEVICE", required=False)
@click.option("--all", "everyone", is_flag=True, help="All known devices: before ACTIVATION=on.")
@prints_answer
async def activate(redis: RedisClient, word: str | None, *, everyone: bool) -> list[str]:
    """Let a device in that shows CODE, or that is named otherwise."""
    if everyone == bool(word):
        raise click.UsageError("expected a code, a device or --all")
    return await device_admin.activate(redis, word)


@devices.command("admit", short_help="Let in the client that waits to be a device.")
@_DEVICE
@prints_answer
async def admit(redis: RedisClient, word: str) -> str:
    """Let the client that waits be the device, instead of the one before: after its flash was erased, say."""
    return await device_admin.admit(redis, word)


@devices.command("forget", short_help="Erase a dialogue and its memory.")
@_DEVICE
@click.option("--entirely", is_flag=True, help="The device too: its name, persona, blocking, activation.")
@prints_answer
async def forget(redis: RedisClient, word: str, *, entirely: bool) -> str:
    """Erase the dialogue with a device and all that is remembered of its users."""
    return await device_admin.forget(redis, word, entirely=entirely)


@devices.command("reboot")
@_DEVICE
@prints_answer
async def reboot(redis: RedisClient, word: str) -> str:
    """Restart a connected device."""
    return await device_admin.reboot(redis, word)


@devices.command("alert")
@_DEVICE
@click.option("--message", required=True, help="What the device shows.")
@click.option("--status", default="Notice", show_default=True, help="The line above it.")
@click.option("--emotion", default="neutral", show_default=True, help="The face, such as happy or sad.")
@prints_answer
async def alert(redis: RedisClient, /, word: str, **fields: str) -> str:
    """Show a message on a connected device."""
    return await device_admin.alert(redis, word, **fields)

"""`dispatcher devices`: known devices, their marks, and commands to connected ones."""

from __future__ import annotations

from typing import Final, get_args

import click
from rich.console import RenderableType

from dispatcher.messages import Language
from dispatcher.ops import device_admin
from dispatcher.ops.redis_session import with_redis
from dispatcher.terminal.console import print_view

# Shown in lists and by voice assistants' makers; a column of SQL holds as much.
MOST_CHARACTERS: Final = 64
_DEVICE: Final = click.argument("word", metavar="DEVICE")
_JSON: Final = click.option("--json", "json_wanted", is_flag=True, help="JSON instead of a table.")


@click.group("devices")
def devices() -> None:
    """Show, name, block, let in and steer devices. DEVICE is an id, the beginning of one, or a name."""


@devices.command("list", short_help="List known devices, the latest seen first.")
@_JSON
def list_devices(*, json_wanted: bool) -> None:
    """List known devices, the latest seen first: who is connected, when each was last heard, who waits."""
    found = with_redis(lambda redis: device_admin.list_devices(redis, json_wanted=json_wanted))
    _print(found)


@devices.command("show", short_help="Show all that is known of a device.")
@_DEVICE
@_JSON
def show_device(word: str, *, json_wanted: bool) -> None:
    """Show all that is known of a device; of its users only how much is remembered."""
    found = with_redis(lambda redis: device_admin.show_device(redis, word, json_wanted=json_wanted))
    _print(found)


@devices.command("name", short_help="Name a device, or take the name away.")
@_DEVICE
@click.argument("name")
def name_device(word: str, name: str) -> None:
    """Call a device by a name; an empty NAME takes it away."""
    if len(name) > MOST_CHARACTERS or not name.isprintable():
        raise click.BadParameter(f"expected at most {MOST_CHARACTERS} characters, all printable")
    click.echo(with_redis(lambda redis: device_admin.mark(redis, word, "name", name)))


@devices.command("language", short_help="Fix the language of a device.")
@_DEVICE
@click.argument("language", type=click.Choice([*get_args(Language), device_admin.DEFAULT]))
def set_language(word: str, language: str) -> None:
    """Fix the language of a device; `default` leaves it to the YAML and to the device."""
    fixed = "" if language == device_admin.DEFAULT else language
    click.echo(with_redis(lambda redis: device_admin.mark(redis, word, "language", fixed)))


@devices.command("persona", short_help="Give a device a persona.")
@_DEVICE
@click.argument("persona")
def set_persona(word: str, persona: str) -> None:
    """Give a device a persona of the YAML (`conversation.personas`); `default` leaves it to the YAML."""
    click.echo(with_redis(lambda redis: device_admin.set_persona(redis, word, persona)))


@devices.command("block", short_help="Refuse a device from now on.")
@_DEVICE
def block(word: str) -> None:
    """Refuse a device from now on; one that is connected is cut off."""
    click.echo(with_redis(lambda redis: device_admin.block(redis, word)))


@devices.command("unblock")
@_DEVICE
def unblock(word: str) -> None:
    """Let a blocked device in again."""
    click.echo(with_redis(lambda redis: device_admin.mark(redis, word, "blocked", "")))


@devices.command("activate", short_help="Let in the device that shows CODE.")
@click.argument("word", metavar="CODE|DEVICE", required=False)
@click.option("--all", "everyone", is_flag=True, help="All known devices: before ACTIVATION=on.")
def activate(word: str | None, *, everyone: bool) -> None:
    """Let a device in that shows CODE, or that is named otherwise."""
    if everyone == bool(word):
        raise click.UsageError("expected a code, a device or --all")
    for line in with_redis(lambda redis: device_admin.activate(redis, word)):
        click.echo(line)


@devices.command("admit", short_help="Let in the client that waits to be a device.")
@_DEVICE
def admit(word: str) -> None:
    """Let the client that waits be the device, instead of the one before: after its flash was erased, say."""
    click.echo(with_redis(lambda redis: device_admin.admit(redis, word)))


@devices.command("forget", short_help="Erase a dialogue and its memory.")
@_DEVICE
@click.option("--entirely", is_flag=True, help="The device too: its name, persona, blocking, activation.")
def forget(word: str, *, entirely: bool) -> None:
    """Erase the dialogue with a device and all that is remembered of its users."""
    click.echo(with_redis(lambda redis: device_admin.forget(redis, word, entirely=entirely)))


@devices.command("reboot")
@_DEVICE
def reboot(word: str) -> None:
    """Restart a connected device."""
    click.echo(with_redis(lambda redis: device_admin.reboot(redis, word)))


@devices.command("alert")
@_DEVICE
@click.option("--message", required=True, help="What the device shows.")
@click.option("--status", default="Notice", show_default=True, help="The line above it.")
@click.option("--emotion", default="neutral", show_default=True, help="The face, such as happy or sad.")
def alert(word: str, **fields: str) -> None:
    """Show a message on a connected device."""
    click.echo(with_redis(lambda redis: device_admin.alert(redis, word, **fields)))


def _print(found: RenderableType) -> None:
    if isinstance(found, str):
        click.echo(found)
    else:
        print_view(found)

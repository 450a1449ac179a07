"""`dispatcher devices`: who is there, and what an operator says of them and to them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final, get_args

import click

from dispatcher.devices import device_commands, registry
from dispatcher.devices.device_commands import DeviceCommand
from dispatcher.devices.device_lookup import find
from dispatcher.devices.device_tables import as_json, device_view, devices_view
from dispatcher.devices.registry import Mark, Registered
from dispatcher.dialogue_store import memory
from dispatcher.errors import DispatcherError, UnknownName
from dispatcher.messages import Language
from dispatcher.ops.redis_session import with_redis
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.telemetry import front_presence
from dispatcher.terminal.console import make_console

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

    async def show(redis: RedisClient) -> None:
        found = await registry.read_all(redis)
        heard = await front_presence.read_connected(redis)
        if json_wanted:
            told = [as_json(device, heard.get(device.device_id)) for device in found]
            click.echo(json.dumps(told, ensure_ascii=False))
            return
        console = make_console()
        console.print(devices_view(found, heard), soft_wrap=not console.is_terminal)

    with_redis(show)


@devices.command("show", short_help="Show all that is known of a device.")
@_DEVICE
@_JSON
def show_device(word: str, *, json_wanted: bool) -> None:
    """Show all that is known of a device; of its users only how much is remembered."""

    async def show(redis: RedisClient, device: Registered) -> None:
        remembered = len((await memory.read(redis, device.device_id)).text)
        heard = (await front_presence.read_connected(redis)).get(device.device_id)
        if json_wanted:
            told = {**as_json(device, heard), "remembered_characters": remembered}
            click.echo(json.dumps(told, ensure_ascii=False))
        else:
            make_console().print(device_view(device, heard, remembered=remembered))

    _with_device(word, show)


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
def set_persona(word: str, persona: str) -> None:
    """Give a device a persona of the YAML (`conversation.personas`); `default` leaves it to the YAML."""
    chosen = "" if persona == "default" else persona

    async def act(redis: RedisClient, device: Registered) -> None:
        in_force = await instance_table.in_force(redis)
        known = in_force.catalogue.conversation.personas if in_force else {}
        if chosen and chosen not in known:
            there_are = ", ".join(known) or "none in the YAML in force"
            raise UnknownName(f"no persona is called {persona!r}; there are {there_are}")
        await _mark_device(redis, device, "persona", chosen)

    _with_device(word, act)


@devices.command("block", short_help="Refuse a device from now on.")
@_DEVICE
def block(word: str) -> None:
    """Refuse a device from now on; one that is connected is cut off."""

    async def act(redis: RedisClient, device: Registered) -> None:
        await registry.mark(redis, device.device_id, "blocked", "1")
        went = await device_commands.send(redis, DeviceCommand(device_id=device.device_id, kind="block"))
        click.echo(f"{_called(device)}: blocked{', and cut off' if went == 'done' else ''}")

    _with_device(word, act)


@devices.command("unblock")
@_DEVICE
def unblock(word: str) -> None:
    """Let a blocked device in again."""
    _mark(word, "blocked", "")


@devices.command("activate", short_help="Let in the device that shows CODE.")
@click.argument("word", metavar="CODE|DEVICE", required=False)
@click.option("--all", "everyone", is_flag=True, help="All known devices: before ACTIVATION=on.")
def activate(word: str | None, *, everyone: bool) -> None:
    """Let a device in that shows CODE, or that is named otherwise."""
    if everyone == bool(word):
        raise click.UsageError("expected a code, a device or --all")

    async def act(redis: RedisClient) -> None:
        chosen = [await _who_shows(redis, word)] if word else await registry.read_all(redis)
        for device in chosen:
            await registry.mark(redis, device.device_id, "activated", "1")
            click.echo(f"{_called(device)}: activated")

    with_redis(act)


@devices.command("admit", short_help="Let in the client that waits to be a device.")
@_DEVICE
def admit(word: str) -> None:
    """Let the client that waits be the device, instead of the one before: after its flash was erased, say."""

    async def act(redis: RedisClient, device: Registered) -> None:
        if not await registry.admit(redis, device.device_id):
            raise DispatcherError(
                f"{_called(device)}: no other client waits to be admitted; "
                "one does after it was refused, and `dispatcher devices list` shows it"
            )
        await device_commands.send(redis, DeviceCommand(device_id=device.device_id, kind="reread"))
        click.echo(f"{_called(device)}: admitted; speak to it again, it connects anew")

    _with_device(word, act)


@devices.command("forget", short_help="Erase a dialogue and its memory.")
@_DEVICE
@click.option("--entirely", is_flag=True, help="The device too: its name, persona, blocking, activation.")
def forget(word: str, *, entirely: bool) -> None:
    """Erase the dialogue with a device and all that is remembered of its users."""

    async def act(redis: RedisClient, device: Registered) -> None:
        await memory.forget(redis, device.device_id)
        if entirely:
            await registry.remove(redis, device.device_id)
        await device_commands.send(redis, DeviceCommand(device_id=device.device_id, kind="reread"))
        click.echo(f"{_called(device)}: {'forgotten' if entirely else 'its dialogue and memory are erased'}")

    _with_device(word, act)


@devices.command("reboot")
@_DEVICE
def reboot(word: str) -> None:
    """Restart a connected device."""
    _send(word, lambda device_id: DeviceCommand(device_id=device_id, kind="reboot"), done="restarts")


@devices.command("alert")
@_DEVICE
@click.option("--message", required=True, help="What the device shows.")
@click.option("--status", default="Notice", show_default=True, help="The line above it.")
@click.option("--emotion", default="neutral", show_default=True, help="The face, such as happy or sad.")
def alert(word: str, *, message: str, status: str, emotion: str) -> None:
    """Show a message on a connected device."""
    fields = {"status": status, "message": message, "emotion": emotion}
    _send(
        word,
        lambda device_id: DeviceCommand(device_id=device_id, kind="alert", fields=fields),
        done="shows it",
    )


async def _who_shows(redis: RedisClient, word: str) -> Registered:
    """Return the device that shows a code, or that is named otherwise."""
    shown = await registry.shows_code(redis, word)
    try:
        return await find(redis, shown or word)
    except UnknownName as error:
        if not word.isdecimal():
            raise
        raise UnknownName(
            f"no device shows the code {word!r}, or not any more; `dispatcher devices list` tells who waits"
        ) from error


def _with_device(word: str, act: Callable[[RedisClient, Registered], Awaitable[None]]) -> None:
    async def use(redis: RedisClient) -> None:
        await act(redis, await find(redis, word))

    with_redis(use)


def _mark(word: str, field: Mark, value: str) -> None:
    async def act(redis: RedisClient, device: Registered) -> None:
        await _mark_device(redis, device, field, value)

    _with_device(word, act)


async def _mark_device(redis: RedisClient, device: Registered, field: Mark, value: str) -> None:
    """Set a field, and let a connection under way hear of it."""
    await registry.mark(redis, device.device_id, field, value)
    await device_commands.send(redis, DeviceCommand(device_id=device.device_id, kind="reread"))
    what = f"{field} {value}" if value else f"{field} as by default"
    click.echo(f"{_called(device)}: {what if field != 'blocked' else 'let in again'}")


def _send(word: str, errand: Callable[[str], DeviceCommand], *, done: str) -> None:
    async def act(redis: RedisClient, device: Registered) -> None:
        went = await device_commands.send(redis, errand(device.device_id))
        if went == "done":
            click.echo(f"{_called(device)}: {done}")
            return
        reason = "it is not connected" if went == "not connected" else "no front answers"
        raise DispatcherError(f"{_called(device)}: {reason}; a device connects when it is spoken to")

    _with_device(word, act)


def _called(device: Registered) -> str:
    return f"{device.device_id} ({device.name})" if device.name else device.device_id

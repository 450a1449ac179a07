"""Lookup of a device by its id, its name, the beginning of its id, or the code that it shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dispatcher.devices import registry
from dispatcher.devices.registry import Registered
from dispatcher.errors import UnknownName
from dispatcher.messages import canonical_device_id
from dispatcher.redis_client.client import RedisClient

_WHOLE_ID: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_MAX_HINTS: Final = 8


async def find(redis: RedisClient, word: str) -> Registered:
    """Return the device that a word means.

    A whole MAC address that was never here is a device too: it can be blocked before it comes.

    Raises:
        UnknownName: it means none, or more than one.
        StateError: Redis is out of reach.
    """
    wanted = canonical_device_id(word)
    exact = await registry.read(redis, wanted)
    if exact.first_seen_ms or _WHOLE_ID.fullmatch(wanted):
        return exact
    devices = await registry.read_all(redis)
    found = [each for each in devices if each.name.lower() == word.strip().lower()]
    found = found or [each for each in devices if _begins(each.device_id, wanted)]
    if len(found) == 1:
        return found[0]
    raise UnknownName(f"no device is called {word!r}{_hint(found or devices, ambiguous=bool(found))}")


async def find_by_code(redis: RedisClient, word: str) -> Registered:
    """Return the device that shows a code, or that is named otherwise.

    Raises:
        UnknownName: there is none.
        StateError: Redis is out of reach.
    """
    shown = await registry.find_by_code(redis, word)
    try:
        return await find(redis, shown or word)
    except UnknownName as error:
        if not word.isdecimal():
            raise
        raise UnknownName(
            f"no device shows the code {word!r}, or not any more; `dispatcher devices list` tells who waits"
        ) from error


def called(device: Registered) -> str:
    """Return the id of a device, with its name where it has one."""
    return f"{device.device_id} ({device.name})" if device.name else device.device_id


def _begins(device_id: str, wanted: str) -> bool:
    """Return whether an id begins with what was typed; a MAC address also where dashes were."""
    return bool(wanted) and device_id.startswith((wanted, wanted.replace("-", ":")))


def _hint(devices: Sequence[Registered], *, ambiguous: bool) -> str:
    if not devices:
        return "; none was here yet"
    names = [called(each) for each in devices]
    more = ", …" if len(names) > _MAX_HINTS else ""
    words = " alone: it may be" if ambiguous else "; there are"
    return f"{words} {', '.join(names[:_MAX_HINTS])}{more}"

"""Scripts of the registry of devices, each on one device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.lua_script import NamedValues, Script, Value

DEVICES_KEPT: Final = 10_000
STRANGERS_KEPT: Final = 1_000
STRANGER_TTL_S: Final = 2 * 24 * 3600

NOTE: Final = Script.load("dispatcher.devices", "clock", "note_device")
MARK: Final = Script.load("dispatcher.devices", "clock", "mark_device")
ADMIT: Final = Script.load("dispatcher.devices", "admit_client")
RESTORE: Final = Script.load("dispatcher.devices", "restore_device")


async def run_on_device(
    redis: RedisClient, script: Script, device_id: str, found: NamedValues, *, fields: Sequence[Value] = ()
) -> Any:
    """Return the answer of a script of the registry.

    Args:
        redis: connection to the shared state.
        script: one of this module.
        device_id: in its one form.
        found: the arguments that are about the device.
        fields: names and values for its hash, in a row.

    Raises:
        StateError: Redis is out of reach.
    """
    return await redis.run(
        script, keys=_keys(device_id), arguments={**_limits(), "device_id": device_id, **found}, rest=fields
    )


def _keys(device_id: str) -> NamedValues:
    return {
        "device": keys.device(device_id),
        "memory": keys.memory(device_id),
        "devices": keys.DEVICES,
        "strangers": keys.STRANGERS,
        "devices_changed": keys.DEVICES_CHANGED,
    }


def _limits() -> NamedValues:
    return {
        "device_prefix": keys.device(""),
        "activation_prefix": keys.activation(""),
        "devices_kept": DEVICES_KEPT,
        "strangers_kept": STRANGERS_KEPT,
        "stranger_ttl_s": STRANGER_TTL_S,
        "memory_ttl_s": keys.MEMORY_TTL_S,
    }

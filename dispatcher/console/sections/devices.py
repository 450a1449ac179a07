"""Devices: the latest seen, with what an operator set for each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from dispatcher.console.live_feed import FeedSources
from dispatcher.console.snapshot import ConsoleSnapshot
from dispatcher.devices import registry
from dispatcher.devices.device_tables import as_json
from dispatcher.telemetry.front_presence import read_connected

DEVICES_SHOWN: Final = 100


async def read(sources: FeedSources, snapshot: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the devices as `dispatcher devices list --json` has them, the connected ones first, by name.

    Without the activation code: whoever knows it could let the device in.
    """
    found, connected = await asyncio.gather(
        registry.read_all(sources.redis, most=DEVICES_SHOWN), read_connected(sources.redis)
    )
    late = sources.turns.late_frames()
    rows = [
        {**as_json(device, connected.get(device.device_id)), "gaps": late.get(device.device_id, 0)}
        for device in found
    ]
    for row in rows:
        del row["code"]
    rows.sort(key=_place)
    return {
        "devices": rows,
        "connected": sum(front.devices for front in snapshot.fronts.values()),
        "busy": sum(front.busy for front in snapshot.fronts.values()),
    }


def _place(row: Mapping[str, Any]) -> tuple[bool, bool, str]:
    """Return where a device stands, which stays as it talks: a row that moves is missed by a click."""
    return not row["connected"], not row["first_seen_ms"], (row["name"] or row["device_id"]).casefold()

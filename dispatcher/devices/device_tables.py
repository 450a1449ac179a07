"""Views of devices: a table, one device in full, JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.devices.registry import Registered
from dispatcher.messages import DevicePresence
from dispatcher.terminal.console import duration
from dispatcher.terminal.tables import Column, ResponsiveTable, table_of

NONE_YET = "no device was here yet; point one to the OTA address (docs/devices.md)"


# What a narrow terminal does without, the first first; `--json` has all of it.
SPARE_DEVICE_COLUMNS: Final = ("firmware", "board", "language", "persona", "last heard", "connected", "code")


def devices_view(devices: Sequence[Registered], connected: Mapping[str, DevicePresence]) -> RenderableType:
    """Return a row for each device; columns in which none has anything to say are left out.

    Args:
        devices: known ones.
        connected: those of them that are, by id.
    """
    if not devices:
        return Text(NONE_YET, style="yellow")
    rows = [_cells(device, connected.get(device.device_id)) for device in devices]
    return ResponsiveTable(
        lambda left_out: (table_of(rows, _COLUMNS, left_out=left_out, style=_style),),
        spare=SPARE_DEVICE_COLUMNS,
    )


def device_view(device: Registered, presence: DevicePresence | None, *, remembered: int) -> RenderableType:
    """Return all that is known of one device; of its users only how much is remembered."""
    grid = Table.grid(padding=(0, 2))
    cells = {**_cells(device, presence), "first seen": moment(device.first_seen_ms)}
    cells["remembered"] = f"{remembered} characters" if remembered else "nothing"
    for name, text in cells.items():
        if text:
            grid.add_row(Text(name, style="dim"), Text(text))
    return grid


def as_json(device: Registered, presence: DevicePresence | None = None) -> Mapping[str, Any]:
    """Return a device for scripts; `last_heard_ms` is 0 for one that is not connected."""
    told = {name: value for name, value in asdict(device).items() if name not in _DIGESTS}
    connected = {
        "connected": presence is not None,
        "activity": presence.activity if presence else "",
        "last_heard_ms": round(presence.heard_at_s * 1000) if presence else 0,
    }
    return {**told, "state": state_of(device), **connected}


def state_of(device: Registered) -> str:
    """Return "blocked", "waits for its code", that another client waits, or nothing in particular."""
    if device.blocked:
        return "blocked"
    if device.waiting_since_ms:
        return "waits to be admitted"
    return "waits for its code" if device.code else ""


def moment(at_ms: int) -> str:
    """Return a Unix time as a date and a time here; nothing for 0."""
    return f"{datetime.fromtimestamp(at_ms / 1000).astimezone():%Y-%m-%d %H:%M}" if at_ms else ""


_DIGESTS: Final = ("client", "waiting_client")
_SHOWN: Final = (
    *("device", "name", "state", "code", "persona", "language"),
    *("board", "firmware", "connected", "last heard"),
)


def _column(name: str) -> Column[dict[str, str]]:
    return Column(name, lambda cells: Text(cells[name]), is_needed=lambda cells: bool(cells[name]))


_COLUMNS: Final = tuple(map(_column, _SHOWN))


def _style(cells: dict[str, str]) -> str:
    return "red" if cells["state"] == "blocked" else ""


def _last_heard(device: Registered, presence: DevicePresence | None) -> str:
    """Return how long ago a connected device was heard, and when another one came last."""
    if presence is None:
        return moment(device.last_seen_ms)
    return f"{duration(max(0.0, time.time() - presence.heard_at_s))} ago"


def _cells(device: Registered, presence: DevicePresence | None) -> dict[str, str]:
    return {
        "device": device.device_id,
        "name": device.name,
        "state": state_of(device),
        "code": device.code,
        "persona": device.persona,
        "language": device.language or "",
        "board": device.board,
        "firmware": device.firmware,
        "connected": (presence.activity or "yes") if presence else "",
        "last heard": _last_heard(device, presence),
        "waiting since": moment(device.waiting_since_ms),
    }

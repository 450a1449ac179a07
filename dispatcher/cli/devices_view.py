"""How devices are shown: a table, one device in full, JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.state.registry import Registered

NONE_YET = "no device was here yet; point one to the OTA address (docs/devices.md)"


def devices_view(devices: Sequence[Registered]) -> RenderableType:
    """Return a row for each device; columns in which none has anything to tell are left out."""
    if not devices:
        return Text(NONE_YET, style="yellow")
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = [name for name in _COLUMNS if any(_cells(device)[name] for device in devices)]
    for name in columns:
        table.add_column(name, no_wrap=True)
    for device in devices:
        cells = _cells(device)
        style = "red" if device.blocked else ""
        table.add_row(*(Text(cells[name]) for name in columns), style=style)
    return table


def device_view(device: Registered, *, remembered: int) -> RenderableType:
    """Return all that is known of one device; of its users only how much is remembered."""
    grid = Table.grid(padding=(0, 2))
    cells = {**_cells(device), "first seen": moment(device.first_seen_ms)}
    cells["remembered"] = f"{remembered} characters" if remembered else "nothing"
    for name, text in cells.items():
        if text:
            grid.add_row(Text(name, style="dim"), Text(text))
    return grid


def as_json(device: Registered) -> Mapping[str, Any]:
    """Return a device for scripts."""
    told = {name: value for name, value in asdict(device).items() if name not in _DIGESTS}
    return {**told, "state": state_of(device)}


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


_DIGESTS = ("client", "waiting_client")
_COLUMNS = ("device", "name", "state", "code", "persona", "language", "board", "firmware", "last seen")


def _cells(device: Registered) -> dict[str, str]:
    return {
        "device": device.device_id,
        "name": device.name,
        "state": state_of(device),
        "code": device.code,
        "persona": device.persona,
        "language": device.language or "",
        "board": device.board,
        "firmware": device.firmware,
        "last seen": moment(device.last_seen_ms),
        "waiting since": moment(device.waiting_since_ms),
    }

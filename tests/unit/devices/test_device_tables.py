"""How devices look in `dispatcher devices list`: who is connected, and when each was last heard."""

from __future__ import annotations

import time

import pytest
from rich.console import Console

from dispatcher.devices.device_tables import as_json, devices_view, moment
from dispatcher.devices.registry import Registered
from dispatcher.messages import DevicePresence

KITCHEN = Registered(
    device_id="69:11:22:33:44:55", name="kitchen", last_seen_ms=1_700_000_000_000, board="bread-compact-wifi",
    firmware="2.4.0",
)  # fmt: skip
BATH = Registered(device_id="69:11:22:33:44:66", last_seen_ms=1_700_000_000_000, language="zh")


def drawn(connected: dict[str, DevicePresence], *, width: int = 120) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(devices_view([KITCHEN, BATH], connected))
    return [" ".join(line.split()) for line in capture.get().splitlines()]


def test_a_connected_device_shows_when_it_was_last_heard_and_another_when_it_came_last() -> None:
    heard = DevicePresence(heard_at_s=time.time() - 65)
    heading, kitchen, bath = drawn({KITCHEN.device_id: heard})
    assert heading == "device name language board firmware connected last heard"
    assert kitchen.endswith("yes 1 min 5 s ago")
    assert bath.endswith(f"zh {moment(BATH.last_seen_ms)}")


def test_json_says_who_is_connected() -> None:
    found = as_json(KITCHEN, DevicePresence(heard_at_s=12.5, activity="listening"))
    assert (found["connected"], found["activity"], found["last_heard_ms"]) == (True, "listening", 12_500)
    assert as_json(BATH, None)["connected"] is False


def test_the_table_says_what_a_connected_device_does() -> None:
    talks = DevicePresence(heard_at_s=time.time(), activity="speaking")
    assert "speaking" in drawn({KITCHEN.device_id: talks})[1]


@pytest.mark.parametrize("width", [30, 40, 50, 60, 69])
def test_below_seventy_columns_whole_columns_go_and_no_id_is_cut(width: int) -> None:
    text = "\n".join(drawn({KITCHEN.device_id: DevicePresence(heard_at_s=time.time())}, width=width))
    assert KITCHEN.device_id in text
    assert "…" not in text

"""How devices look in `dispatcher devices list`: who is connected, and when each was last heard."""

from __future__ import annotations

import time

import pytest
from rich.console import Console

from dispatcher.devices.device_tables import as_json, devices_view, moment
from dispatcher.devices.registry import Registered

KITCHEN = Registered(
    device_id="69:11:22:33:44:55", name="kitchen", last_seen_ms=1_700_000_000_000, board="bread-compact-wifi",
    firmware="2.4.0",
)  # fmt: skip
BATH = Registered(device_id="69:11:22:33:44:66", last_seen_ms=1_700_000_000_000, language="zh")


def drawn(heard_at_s: dict[str, float], *, width: int = 120) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(devices_view([KITCHEN, BATH], heard_at_s))
    return [" ".join(line.split()) for line in capture.get().splitlines()]


def test_a_connected_device_shows_when_it_was_last_heard_and_another_when_it_came_last() -> None:
    heading, kitchen, bath = drawn({KITCHEN.device_id: time.time() - 65})
    assert heading == "device name language board firmware connected last heard"
    assert kitchen.endswith("yes 1 min 5 s ago")
    assert bath.endswith(f"zh {moment(BATH.last_seen_ms)}")


def test_json_says_who_is_connected() -> None:
    assert as_json(KITCHEN, 12.5)["connected"] is True
    assert as_json(KITCHEN, 12.5)["last_heard_ms"] == 12_500
    assert as_json(BATH, None)["connected"] is False


@pytest.mark.parametrize("width", [30, 40, 50, 60, 69])
def test_below_seventy_columns_whole_columns_go_and_no_id_is_cut(width: int) -> None:
    text = "\n".join(drawn({KITCHEN.device_id: time.time()}, width=width))
    assert KITCHEN.device_id in text
    assert "…" not in text

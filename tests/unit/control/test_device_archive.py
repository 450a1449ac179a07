"""Devices in SQL: written as they change, restored to a Redis that came up empty."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dispatcher.control.device_archive import DeviceArchive, device_of, row_of_device
from dispatcher.devices import registry
from dispatcher.devices.registry import Registered
from dispatcher.records import devices
from dispatcher.records.store import Store
from dispatcher.redis_client.client import RedisClient
from tests.unit.control.loops import RunningLoop

DEVICE = Registered(
    device_id="aa:bb",
    first_seen_ms=1,
    last_seen_ms=2,
    board="bread",
    firmware="2.5",
    language="zh",
    name="kitchen",
    blocked=True,
    client="digest",
)


def test_a_device_comes_back_from_its_row_as_it_was() -> None:
    for device in (DEVICE, Registered(device_id="cc")):
        row = row_of_device(device, "likes tea")
        assert set(row) == set(devices.FIELDS)
        assert row["memory"] == "likes tea"
        assert device_of({"device": device.device_id, **row}) == device


async def test_a_redis_that_lost_everything_gets_its_devices_back(redis: RedisClient, tmp_path: Path) -> None:
    store = Store.at(f"sqlite:///{tmp_path / 'records.sqlite3'}")
    store.prepare()
    devices.keep(store.engine, {"aa:bb": row_of_device(DEVICE, "likes tea")})
    archive = DeviceArchive(RunningLoop(redis), store)
    await redis.execute("FLUSHDB")
    await asyncio.to_thread(archive.run_once)
    (restored,) = await registry.read_all(redis)
    assert restored == DEVICE

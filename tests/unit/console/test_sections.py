"""Sections of the console's page: what each sends, and that one does not depend on another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from dispatcher.console.app import create_console
from dispatcher.devices import registry
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.settings import Settings
from dispatcher.telemetry import front_presence
from dispatcher.telemetry.front_presence import FrontCounts
from tests.support.broker import Broker
from tests.support.console import sent
from tests.support.fleet import Fleet, llm

Client = TestClient[Any, Any]


@pytest.fixture
async def client(broker: Broker, tmp_path: Path) -> AsyncIterator[Client]:
    """A browser of a console over the broker of the test."""
    settings = Settings(redis_url=broker.url, data_dir=tmp_path, operator_password="open sesame")
    async with TestClient(TestServer(create_console(settings))) as opened:
        yield opened


async def test_a_section_that_cannot_be_read_leaves_the_others(fleet: Fleet, client: Client) -> None:
    await fleet.configure("round_robin", llm("A"))
    of_another_version = ("revision", 2, "chosen_at_ms", 1, "definition", "{}")
    await fleet.redis.execute("HSET", keys.CATALOGUE, *of_another_version)
    with capture_logs() as logs:
        shown = await sent(client, "status", "tuner", "alerts", "health")
    assert (shown["health"]["redis"], "personas" in shown) == (None, False)
    assert [each["section"] for each in logs if each["event"] == "section not readable"] == ["personas"]


async def test_devices_stand_by_name_those_that_are_connected_first(
    redis: RedisClient, client: Client
) -> None:
    ids = [f"02:00:00:00:00:0{number}" for number in range(3)]
    for device_id, name in zip(ids, ("Zoe", "Bob", "amy"), strict=True):
        await registry.record_seen(redis, device_id)
        await registry.set_field(redis, device_id, "name", name)
    front_presence.publish(
        redis, "front-1", FrontCounts(devices=1, busy=0, in_turn=0, turns_begun=0), heard_at_s={ids[0]: 1.0}
    )
    shown = (await sent(client, "devices"))["devices"]["devices"]
    assert [each["name"] for each in shown] == ["Zoe", "amy", "Bob"]

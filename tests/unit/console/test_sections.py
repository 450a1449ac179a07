"""Sections of the console's page: what each sends, and that one does not depend on another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from dispatcher.catalogue.usage_rules import Budget, UsageRules
from dispatcher.console.app import create_console
from dispatcher.devices import registry
from dispatcher.messages import DevicePresence
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.settings import Settings
from dispatcher.telemetry import front_presence
from dispatcher.telemetry.front_presence import FrontCounts
from tests.support.broker import Broker
from tests.support.console import sent
from tests.support.fleet import Fleet, catalogue_of, llm

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
    unread = [each["section"] for each in logs if each["event"] == "section not readable"]
    assert unread == ["personas", "budgets"]


async def test_devices_stand_by_name_those_that_are_connected_first(
    redis: RedisClient, client: Client
) -> None:
    ids = [f"02:00:00:00:00:0{number}" for number in range(3)]
    for device_id, name in zip(ids, ("Zoe", "Bob", "amy"), strict=True):
        await registry.record_seen(redis, device_id)
        await registry.set_field(redis, device_id, "name", name)
    zoe = {ids[0]: DevicePresence(heard_at_s=1.0, activity="speaking")}
    front_presence.publish(redis, "front-1", FrontCounts(devices=1, busy=1, in_turn=1, turns_begun=1), zoe)
    shown = (await sent(client, "devices"))["devices"]["devices"]
    assert [each["name"] for each in shown] == ["Zoe", "amy", "Bob"]
    assert [each["activity"] for each in shown] == ["speaking", "", ""]


async def test_a_budget_is_sent_with_what_is_spent_of_it(fleet: Fleet, client: Client) -> None:
    usage = UsageRules(budgets={"sweets": Budget(per="day", cost=2)}, currency="EUR")
    await instance_table.publish(fleet.redis, replace(catalogue_of("round_robin", [llm("A")]), usage=usage))
    (budget,) = (await sent(client, "budgets"))["budgets"]["budgets"]
    wanted = {"name": "sweets", "per": "day", "unit": "EUR", "limit": 2, "spent": 0, "state": "ok"}
    assert budget == wanted

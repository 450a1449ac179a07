"""A front that joins the others of its Redis, and what it does beside its connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dispatcher.control.overrides import set_override
from dispatcher.errors import ConfigError, StateError
from dispatcher.front.connection import front_loops
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.front_loops import run_loops
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.key_format import KEY_FORMAT
from dispatcher.routing import instance_table
from dispatcher.settings import Settings
from dispatcher.telemetry import front_presence
from dispatcher.turn_store import worker_heartbeats
from dispatcher.turn_store.worker_heartbeats import LostMessage
from tests.support.broker import Broker
from tests.support.fleet import catalogue_of, llm
from tests.support.processes import free_port
from tests.support.waiting import soon

CATALOGUE = catalogue_of("round_robin", [llm("A")])


def front_of(redis_url: str, folder: Path, **settings: Any) -> FrontContext:
    given = {"redis_url": redis_url, "data_dir": folder, "front_auth": "off", **settings}
    return FrontContext.create(Settings.model_validate(given), CATALOGUE)


@pytest.fixture
async def front(broker: Broker, tmp_path: Path) -> AsyncIterator[FrontContext]:
    """A front whose loops run."""
    context = front_of(broker.url, tmp_path)
    async with run_loops(context):
        yield context


async def test_a_front_publishes_its_catalogue_its_stream_and_itself(
    front: FrontContext, redis: RedisClient
) -> None:
    assert await instance_table.read_active(redis) is not None

    async def is_there() -> bool:
        found = await front_presence.read_fronts(redis)
        return front.front_id in found and bool(await redis.execute("EXISTS", front.reply_stream))

    await soon(is_there, what="the front is among the fronts")


async def test_an_override_holds_for_a_front_that_runs(
    front: FrontContext, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_loops, "OVERRIDES_POLL_INTERVAL_S", 0.01)
    await set_override(redis, "max_devices", 7)

    async def holds() -> bool:
        return front.status.overrides.max_devices == 7

    await soon(holds, what="the override holds")


async def test_a_catalogue_that_is_published_is_followed(front: FrontContext, redis: RedisClient) -> None:
    await instance_table.publish(redis, catalogue_of("round_robin", [llm("B")]))

    async def is_followed() -> bool:
        return front.catalogue.services["llm"].instances[0].name == "B"

    await soon(is_followed, what="the catalogue is followed")


async def test_messages_of_a_lost_worker_are_taken_once(
    front: FrontContext, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    async def take_lost(_: RedisClient, *, grace_s: float) -> list[LostMessage]:  # noqa: ARG001
        taken.append(1)
        return [LostMessage(message=b"no task of a turn", has_ended=True)]

    monkeypatch.setattr(worker_heartbeats, "take_lost", take_lost)
    monkeypatch.setattr(front_loops, "LOST_POLL_INTERVAL_S", 0.01)
    monkeypatch.setattr(front_loops, "IDLE_LOST_POLL_INTERVAL_S", 0.01)

    async def polled() -> bool:
        return len(taken) > 1

    await soon(polled, what="lost workers are polled for")
    # Each connection of the front opens the stream with an entry of no turn.
    entries = await redis.execute("XRANGE", front.reply_stream, "-", "+")
    assert not [fields for _, fields in entries if b"turn" in fields]


async def test_a_front_that_ends_leaves_no_loop_behind(broker: Broker, tmp_path: Path) -> None:
    context = front_of(broker.url, tmp_path)
    before = asyncio.all_tasks()
    async with run_loops(context):
        assert len(asyncio.all_tasks()) > len(before)
    assert asyncio.all_tasks() <= before


async def test_without_redis_it_does_not_start(tmp_path: Path) -> None:
    context = front_of(f"redis://127.0.0.1:{free_port()}/0", tmp_path)
    with pytest.raises(StateError):
        async with run_loops(context):
            pass


async def test_keys_of_a_later_version_stop_its_start(
    broker: Broker, redis: RedisClient, tmp_path: Path
) -> None:
    await redis.execute("SET", keys.KEY_FORMAT, KEY_FORMAT + 1)
    with pytest.raises(ConfigError, match="start the newer version again"):
        async with run_loops(front_of(broker.url, tmp_path)):
            pass

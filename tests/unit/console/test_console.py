"""The console over a real Valkey: what a scrape shows, also while Redis is unreachable."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from dispatcher import chains
from dispatcher.console.app import create_console
from dispatcher.messages import TurnTicket
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.settings import Settings
from dispatcher.telemetry import record_stream
from dispatcher.turn_store.worker_heartbeats import beat, worker_id
from tests.support.broker import Broker
from tests.support.fleet import Fleet, llm
from tests.support.waiting import soon

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Console:
    """A console under test, and what its scrapes show."""

    def __init__(self, client: TestClient) -> None:  # type: ignore[type-arg]
        self._client = client

    async def get(self, path: str) -> str:
        """Return a page."""
        async with self._client.get(path) as response:
            assert response.status == 200
            return await response.text()

    async def scrape(self) -> Samples:
        """Return all samples by name and sorted labels."""
        families = text_string_to_metric_families(await self.get("/metrics"))
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }

    async def value(self, name: str, **labels: str) -> float | None:
        """Return one sample, None where there is none."""
        return (await self.scrape()).get((name, tuple(sorted(labels.items()))))


@pytest.fixture
async def console(broker: Broker, tmp_path: Path) -> AsyncIterator[Console]:
    """A console over the broker of the test."""
    settings = Settings(redis_url=broker.url, data_dir=tmp_path, flower_link=True)
    async with TestClient(TestServer(create_console(settings))) as client:
        yield Console(client)


async def test_a_scrape_shows_what_the_overview_knows(fleet: Fleet, console: Console) -> None:
    await fleet.configure("round_robin", llm("A", weight=3), llm("B"))
    await fleet.call_ends("A", "ok", times=2, latency_ms=400)
    await fleet.call_ends("B", "failed", times=5)
    shown = await console.scrape()

    def of(instance: str, name: str, **labels: str) -> float | None:
        given = {"service": "llm", "instance": instance, **labels}
        return shown.get((f"xiaozhi_instance_{name}", tuple(sorted(given.items()))))

    assert of("A", "weight") == 3
    assert of("A", "calls_total") == 2
    assert of("A", "latency_seconds") == pytest.approx(0.4)
    assert (of("A", "state", state="ready"), of("B", "state", state="ejected")) == (1, 1)
    assert (of("A", "ejections_total"), of("B", "ejections_total")) == (0, 1)
    assert of("B", "latency_seconds") is None
    assert shown["xiaozhi_redis_up", ()] == 1


async def test_a_queue_shows_its_depth_and_the_age_of_its_oldest_message(
    redis: RedisClient, console: Console
) -> None:
    assert await console.value("xiaozhi_queue_oldest_age_seconds", queue="tts") == 0
    ticket = TurnTicket(
        turn_id="t", attempt=1, device_id="d", reply_stream="replies:f", deadline_at_s=time.time() + 9
    )
    await chains.synthesize(redis, ticket, index=0, text="hello")
    await asyncio.sleep(0.01)
    age_s = await console.value("xiaozhi_queue_oldest_age_seconds", queue="tts")
    assert await console.value("xiaozhi_queue_depth", queue="tts") == 1
    assert age_s is not None
    assert 0 < age_s < 5


async def test_a_queue_shows_how_many_tasks_its_workers_run_at_once(
    redis: RedisClient, console: Console
) -> None:
    worker = worker_id(["llm", "tts"])
    await beat(redis, worker)
    for queue, size in (("llm", 16), ("tts", 4)):
        await redis.execute("SET", keys.worker_ready(queue, os.getpid()), size)
    shown = await console.scrape()
    slots = {queue: shown["xiaozhi_queue_slots", (("queue", queue),)] for queue in ("asr", "llm", "tts")}
    assert slots == {"asr": 0, "llm": 16, "tts": 4}


async def test_records_are_counted_as_they_come(redis: RedisClient, console: Console) -> None:
    await console.scrape()

    async def is_counted() -> bool:
        record_stream.add(redis, "turn", {"outcome": "answered", "first_audio_ms": 640})
        return bool(await console.value("xiaozhi_turns_total", outcome="answered"))

    await soon(is_counted, what="a turn is counted")
    assert await console.value("xiaozhi_first_audio_seconds_bucket", le="0.7")


async def test_without_redis_a_scrape_says_so_and_repeats_nothing(tmp_path: Path) -> None:
    settings = Settings(redis_url="redis://127.0.0.1:1/0", data_dir=tmp_path)
    async with TestClient(TestServer(create_console(settings))) as client:
        shown = await Console(client).scrape()
    assert shown["xiaozhi_redis_up", ()] == 0
    assert not [name for name, _ in shown if name.startswith(("xiaozhi_instance", "xiaozhi_queue"))]
    assert shown["xiaozhi_turns_total", (("outcome", "answered"),)] == 0


async def test_the_page_leads_to_the_metrics_and_to_flower(console: Console) -> None:
    page = await console.get("/")
    assert 'href="metrics"' in page
    assert 'data-flower="loopback:5555"' in page
    assert '"status": "ok"' in await console.get("/healthz")


async def test_sql_is_down_where_there_is_no_file_and_none_is_made(console: Console, tmp_path: Path) -> None:
    assert await console.value("xiaozhi_sql_up") == 0
    assert not (tmp_path / "records.sqlite3").exists()


async def test_a_redis_that_comes_back_is_shown_and_counted_again(tmp_path: Path) -> None:
    own = Broker(tmp_path)
    own.start()
    settings = Settings(redis_url=own.url, data_dir=tmp_path)
    async with TestClient(TestServer(create_console(settings))) as client:
        console = Console(client)
        assert await console.value("xiaozhi_queue_depth", queue="llm") == 0
        own.kill()
        assert await console.value("xiaozhi_redis_up") == 0
        assert await console.value("xiaozhi_queue_depth", queue="llm") is None
        own.start()
        redis = RedisClient(connect(own.url))

        async def is_counted() -> bool:
            record_stream.add(redis, "turn", {"outcome": "cut"})
            return bool(await console.value("xiaozhi_turns_total", outcome="cut"))

        await soon(is_counted, what="a turn is counted")
        assert await console.value("xiaozhi_queue_depth", queue="llm") == 0
        await redis.close()
    own.kill()

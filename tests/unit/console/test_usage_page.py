"""Usage on the console: totals of the records, and the same as CSV."""

from __future__ import annotations

import time
from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer

from dispatcher.console.app import create_console
from dispatcher.messages import Record
from dispatcher.records.store import Store
from dispatcher.routing.rules.usage import day_of
from dispatcher.settings import Settings
from tests.support.broker import Broker


async def test_usage_comes_from_the_records_and_can_be_downloaded(broker: Broker, tmp_path: Path) -> None:
    store = Store.at(f"sqlite:///{tmp_path / 'records.sqlite3'}")
    day = day_of(time.time(), "")
    counter = f"{day}\x1fllm\x1fllm-1\x1f02:00:00:00:00:18\x1fkids\x1fcalls"
    fields = {"counters": {counter: "3"}}
    store.keep([Record(entry_ms=1, entry_seq=0, kind="usage", fields=fields)], life="a")
    store.close()
    settings = Settings(redis_url=broker.url, data_dir=tmp_path)
    async with TestClient(TestServer(create_console(settings))) as client:
        async with client.get("/usage/week?by=device") as response:
            usage = await response.json()
        assert [(row["name"], row["calls"]) for row in usage["rows"]] == [("02:00:00:00:00:18", 3)]
        assert [(each["name"], each["calls"]) for each in usage["days"]] == [(day, 3)]
        async with client.get("/usage/month/csv?by=persona") as response:
            assert response.headers["Content-Disposition"].startswith("attachment")
            assert (await response.text()).splitlines()[1].startswith("kids,3,")
        for path, status in (("/usage/year", 404), ("/usage/week?by=color", 400)):
            async with client.get(path) as response:
                assert response.status == status
                assert "expected one of" in await response.text()


async def test_without_records_there_is_no_usage(broker: Broker, tmp_path: Path) -> None:
    settings = Settings(redis_url=broker.url, data_dir=tmp_path)
    async with TestClient(TestServer(create_console(settings))) as client:
        async with client.get("/usage/day") as response:
            assert "no records yet" in (await response.json())["trouble"]
        async with client.get("/usage/day/csv") as response:
            assert response.status == 503

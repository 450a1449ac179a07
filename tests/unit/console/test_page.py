"""The console's page: who may see it, what its feed sends, and what it says on bad days."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from dispatcher.console import record_queries
from dispatcher.console.access import COOKIE
from dispatcher.console.app import create_console
from dispatcher.console.context import CONSOLE
from dispatcher.console.page import SHARED, STATIC
from dispatcher.devices import registry
from dispatcher.front.http.pages import STATIC as TALK_STATIC
from dispatcher.messages import Record
from dispatcher.records.store import Store
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import read_overview
from dispatcher.settings import Settings
from dispatcher.telemetry import record_stream
from dispatcher.telemetry.status_fields import status_fields
from tests.support.broker import Broker
from tests.support.console import events, sent
from tests.support.fleet import Fleet, llm
from tests.support.waiting import WAIT_TIMEOUT_S, soon

Client = TestClient[Any, Any]
PASSWORD = "open sesame"


@pytest.fixture
async def client(broker: Broker, tmp_path: Path) -> AsyncIterator[Client]:
    """A browser of a console over the broker of the test."""
    settings = Settings(redis_url=broker.url, data_dir=tmp_path, operator_password=PASSWORD)
    async with TestClient(TestServer(create_console(settings))) as opened:
        yield opened


def steady(instance: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what does not change with the time of the look."""
    return {name: value for name, value in instance.items() if not name.endswith("_s_ago")}


async def test_the_feed_sends_the_fields_of_the_status_command(fleet: Fleet, client: Client) -> None:
    await fleet.configure("round_robin", llm("A", weight=3), llm("B"))
    await fleet.call_ends("A", "ok", times=2, latency_ms=400)
    shown = (await sent(client, "status"))["status"]
    expected = json.loads(json.dumps(status_fields(await read_overview(fleet.redis), None, None)))

    instances = [each for service in shown["services"] for each in service["instances"]]
    wanted = [each for service in expected["services"] for each in service["instances"]]
    assert [steady(each) for each in instances] == [steady(each) for each in wanted]
    assert shown["queues"] == expected["queues"]
    assert shown["kpis"] is None


async def test_a_turn_that_ends_is_sent_to_browsers_that_look_already(
    redis: RedisClient, client: Client
) -> None:
    async with asyncio.timeout(WAIT_TIMEOUT_S), client.get("/live") as response:
        async for name, content in events(response):
            if name == "health":
                record_stream.add(redis, "turn", {"turn": "abc", "outcome": "cut", "first_audio_ms": 5})
            if name == "turns" and content["turns"]:
                break
    assert content["turns"][0] == {"turn": "abc", "outcome": "cut", "first_audio_ms": 5, "calls": {}}


async def test_a_poll_that_fails_does_not_end_the_feed(redis: RedisClient, client: Client) -> None:
    async def is_logged() -> bool:
        return any(each["event"] == "feed not polled" for each in logged)

    async with asyncio.timeout(WAIT_TIMEOUT_S), client.get("/live") as response:
        await response.content.readuntil(b"\n\n")
        with capture_logs() as logged:
            await redis.execute("LPUSH", keys.OPERATOR_ACTIONS, "no JSON")
            await soon(is_logged, what="the failure is logged")
        await redis.execute("LSET", keys.OPERATOR_ACTIONS, 0, json.dumps({"why": "\ud800"}))
        async for name, content in events(response):
            if name == "actions" and content["actions"]:
                break
    assert content["actions"] == [{"why": "?"}]


async def test_many_browsers_share_one_poll(client: Client, redis: RedisClient) -> None:
    async def reads() -> int:
        stats = await redis.execute("INFO", "commandstats")
        return int(stats.get("cmdstat_llen", {}).get("calls", 0))

    before = await reads()
    async with asyncio.TaskGroup() as group:
        for _ in range(30):
            group.create_task(sent(client, "status"))
    # Each poll reads the length of four queues; thirty browsers of their own would be 120 reads.
    assert await reads() - before < 60


async def test_earlier_turns_and_the_history_come_from_the_records(broker: Broker, tmp_path: Path) -> None:
    settings = Settings(redis_url=broker.url, data_dir=tmp_path)
    store = Store.at(settings.database)
    now_ms = time.time_ns() // 1_000_000
    turn = {"turn": "old", "device": "d", "outcome": "answered", "llm_ms": 90.0}
    kpi = {"name": "errors", "value": 0.25}
    alert = {"name": "errors", "phase": "firing", "detail": "1 of 4 turns", "value": 0.25}
    records = [("turn", turn), ("kpi", kpi), ("alert", alert)]
    store.keep(
        [
            Record(entry_ms=now_ms - 1000, entry_seq=seq, kind=kind, fields=dict(fields))  # type: ignore[arg-type]
            for seq, (kind, fields) in enumerate(records)
        ],
        life="one",
    )
    store.close()
    async with TestClient(TestServer(create_console(settings))) as client:
        async with client.get("/history/hour") as response:
            history = await response.json()
        shown = await sent(client, "turns", "alerts")
        async with client.get("/history/century") as response:
            refused = (response.status, await response.text())

    assert [value for _, value in history["kpis"]["errors"]] == [0.25]
    assert [(each["turn"], each["llm_ms"]) for each in shown["turns"]["turns"]] == [("old", 90.0)]
    assert [(each["name"], each["value"]) for each in shown["alerts"]["changes"]] == [("errors", 0.25)]
    assert refused == (404, "span: was 'century'; expected one of hour, day, month")


async def test_a_store_that_is_slow_is_no_trouble_of_redis(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(record_queries, "LATE_S", 0.01)
    monkeypatch.setattr(record_queries, "ask_if_there", lambda *_: answers.wait(WAIT_TIMEOUT_S) and [])
    async with asyncio.timeout(WAIT_TIMEOUT_S), client.get("/live") as response:
        async for name, content in events(response):
            if name == "health" and content["sql"]["reason"] == record_queries.LATE:
                break
    answers.set()
    assert content["redis"] is None


async def test_who_comes_when_nobody_looked_is_shown_no_old_picture(
    redis: RedisClient, client: Client
) -> None:
    feed = client.app[CONSOLE].feed

    async def nobody_looks() -> bool:
        return not feed.viewers

    assert (await sent(client, "devices"))["devices"]["devices"] == []
    await soon(nobody_looks, what="the browser is gone")
    await registry.set_field(redis, "02:00:00:00:00:18", "name", "kitchen")
    assert [each["name"] for each in (await sent(client, "devices"))["devices"]["devices"]] == ["kitchen"]


async def test_without_records_the_page_says_so_and_makes_no_file(client: Client, tmp_path: Path) -> None:
    async with client.get("/history/hour") as response:
        assert "no records yet" in (await response.json())["trouble"]
    assert "no records yet" in (await sent(client, "health"))["health"]["sql"]["reason"]
    assert not (tmp_path / "records.sqlite3").exists()


async def test_redis_that_goes_and_comes_is_told_with_the_time_since_when(
    fresh_broker: Broker, tmp_path: Path
) -> None:
    settings = Settings(redis_url=fresh_broker.url, data_dir=tmp_path)
    told: list[bool] = []
    console = TestClient(TestServer(create_console(settings)))
    async with console as client, asyncio.timeout(WAIT_TIMEOUT_S), client.get("/live") as response:
        async for name, content in events(response):
            if name != "health" or told[-1:] == [bool(content["redis"])]:
                continue
            told.append(bool(content["redis"]))
            if len(told) == 3:
                break
            if content["redis"]:
                assert content["redis"]["since_s"] <= content["at_s"]
                assert content["redis"]["reason"]
                fresh_broker.start()
            else:
                fresh_broker.kill()
    assert told == [False, True, False]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "console.evil.example"},
        {"Host": "evil.example:8010"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"X-Real-IP": "203.0.113.9"},
        {"Via": "1.1 squid"},
        {"Origin": "https://evil.example"},
    ],
)
@pytest.mark.parametrize(
    "path", ["/live", "/turns/abcdef", "/history/hour", "/usage/week", "/usage/week/csv"]
)
async def test_only_a_browser_on_this_host_may_read(
    client: Client, path: str, headers: Mapping[str, str]
) -> None:
    async with client.get(path, headers=headers) as response:
        assert response.status == 403


async def test_the_feed_ends_with_the_session(client: Client) -> None:
    session = client.app[CONSOLE].sessions.try_sign_in(PASSWORD, name="Ada", address=None)
    assert session is not None
    headers = {"X-Forwarded-For": "203.0.113.9", "Cookie": f"{COOKIE}={session.token}"}
    async with asyncio.timeout(WAIT_TIMEOUT_S), client.get("/live", headers=headers) as response:
        await response.content.readuntil(b"\n\n")
        client.app[CONSOLE].sessions.end(session.token)
        await response.content.read()


async def test_the_feed_does_not_tell_the_code_of_a_device(redis: RedisClient, client: Client) -> None:
    await registry.set_field(redis, "02:00:00:00:00:18", "name", "kitchen")
    device = (await sent(client, "devices"))["devices"]["devices"][0]
    assert device["name"] == "kitchen"
    assert "code" not in device


async def test_a_turn_that_is_not_known_is_said_to_be_so(client: Client) -> None:
    async with client.get("/turns/abcdef") as response:
        assert response.status == 404
        assert "no call of turn abcdef" in await response.text()


async def test_the_page_lets_nothing_in_from_outside(client: Client) -> None:
    async with client.get("/") as response:
        page, policy = await response.text(), response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    for path in ("/nowhere", "/turns/abcdef", "/history/century", "/session", "/metrics"):
        async with client.get(path) as response:
            assert response.headers["Content-Security-Policy"] == policy, path
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|https?://", page)


async def test_the_page_and_its_modules_name_only_files_that_are_served(client: Client) -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'(?:href|src)="assets/([^"]+)"', page))
    for folder, names in ((STATIC, None), (TALK_STATIC, SHARED)):
        for path in folder.glob("*.js"):
            if names is None or path.name in names:
                named |= set(re.findall(r'from "\./([^"]+)"', path.read_text(encoding="utf-8")))
    for name in named:
        async with client.get(f"/assets/{name}") as response:
            assert response.status == 200, name
    async with client.get("/assets/app.py") as response:
        assert response.status == 404


def test_both_languages_have_the_same_texts_and_all_that_are_used() -> None:
    english, chinese = (
        re.findall(
            r'^  "([^"]+)":', (STATIC / f"strings-{each}.js").read_text(encoding="utf-8"), re.MULTILINE
        )
        for each in ("en", "zh")
    )
    sources = [path.read_text(encoding="utf-8") for path in STATIC.iterdir() if "strings" not in path.name]
    used = {
        key
        for source in sources
        for key in re.findall(r'(?:\bt\(|data-(?:text|label|title)=)"([\w.]+)"', source)
    }
    assert english == chinese
    assert used <= set(english)

"""The console in Chromium over the whole system: true numbers, any screen, both languages and themes."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect
from prometheus_client.parser import text_string_to_metric_families

from dispatcher.messages import Record
from dispatcher.records.store import Store
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.settings import Settings
from dispatcher.telemetry.front_presence import read_fronts
from tests.acceptance.console_page import DEVICE, NOT_MARKUP, PAGE_TIMEOUT_MS, signs_in
from tests.acceptance.talk_page import new_tab
from tests.support.commands import command_beside
from tests.support.console import ConsoleProcess
from tests.support.stack import Stack
from tests.support.waiting import soon

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SCREENS = ((360, 740), (768, 1024), (1440, 900))
CROWD = 50


async def shown(page: Page) -> dict[str, Any]:
    """Return what the page was sent of instances, by name."""
    status = await page.evaluate("window.shown.status")
    return {each["name"]: each for service in status["services"] for each in service["instances"]}


async def told_by_command(stack: Stack, *words: str) -> Any:
    """Return what `dispatcher … --json` says."""
    return json.loads((await command_beside(stack.environ, *words, "--json")).out)


async def told_of_instances(stack: Stack) -> dict[str, Any]:
    """Return what `dispatcher status --json` says of instances, by name."""
    services = (await told_by_command(stack, "status"))["services"]
    return {each["name"]: each for service in services for each in service["instances"]}


def scraped(console: ConsoleProcess, name: str, label: str = "instance") -> dict[str, float]:
    """Return a metric by one of its labels."""
    families = text_string_to_metric_families(console.get("/metrics"))
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {sample.labels[label]: sample.value for sample in samples}


async def test_page_metrics_command_and_redis_count_fifty_devices_alike(
    page: Page, console: ConsoleProcess, stack: Stack
) -> None:
    redis = RedisClient(connect(stack.broker.url))

    async def agree() -> bool:
        listed = await told_by_command(stack, "devices", "list")
        metrics = await asyncio.to_thread(scraped, console, "xiaozhi_devices", "state")
        fronts = (await read_fronts(redis)).values()
        of_redis = sum(each.devices for each in fronts), sum(each.busy for each in fronts)
        of_command = sum(each["connected"] for each in listed), sum(bool(each["activity"]) for each in listed)
        of_page = await page.evaluate("[window.shown.devices.connected, window.shown.devices.busy]")
        wanted = (CROWD, 1)
        return wanted == of_redis == of_command == (metrics["connected"], metrics["busy"]) == tuple(of_page)

    async with AsyncExitStack() as opened:
        crowd = [
            await opened.enter_async_context(stack.front.device(f"crowd-{number:02}"))
            for number in range(CROWD)
        ]
        await asyncio.gather(*(device.types("How are you today?") for device in crowd))
        await crowd[0].listen("start", mode="manual")
        await soon(agree, what="all four agree")
        summary = page.locator("#devices .note").first
        await expect(summary).to_contain_text(f"{CROWD} connected, 1 in a turn")
        row = page.locator("[data-device='crowd-00'] .when")
        await expect(row).to_contain_text("listening", timeout=PAGE_TIMEOUT_MS)
    await redis.close()
    await instances_agree(page, console, stack)


async def instances_agree(page: Page, console: ConsoleProcess, stack: Stack) -> None:
    """Wait until page, metrics, command and Redis say the same of the calls of every instance."""
    await stack.is_given_back()
    redis = RedisClient(connect(stack.broker.url))

    async def agree() -> bool:
        of_page, of_command = await shown(page), await told_of_instances(stack)
        in_redis = {
            name: int(await redis.execute("HGET", keys.instance(each["service"], name), "calls") or 0)
            for name, each in of_command.items()
        }
        calls = await asyncio.to_thread(scraped, console, "xiaozhi_instance_calls_total")
        latencies_ms = {name: each["latency_ewma_ms"] for name, each in of_page.items()}
        latency_s = await asyncio.to_thread(scraped, console, "xiaozhi_instance_latency_seconds")
        return (
            in_redis
            == calls
            == {name: each["calls"] for name, each in of_page.items()}
            == {name: each["calls"] for name, each in of_command.items()}
            and latency_s == {name: ms / 1000 for name, ms in latencies_ms.items() if ms}
            and sum(in_redis.values()) > 0
        )

    await soon(agree, what="all four agree")
    for name, each in (await shown(page)).items():
        row = page.locator(f"[data-instance='{name}'] .errors")
        await expect(row).to_contain_text(f"of {each['calls']} calls", timeout=PAGE_TIMEOUT_MS)
    await redis.close()


async def test_charts_come_from_the_records_over_an_hour_a_day_and_a_month(page: Page, stack: Stack) -> None:
    store = Store.at(Settings(data_dir=Path(stack.environ["DATA_DIR"])).database)
    ended_ms = [time.time_ns() // 1_000_000 - hours * 3_600_000 - 60_000 for hours in (5, 0)]
    fields = {"name": "errors", "value": 0.25}
    kept = [Record(entry_ms=each, entry_seq=1, kind="kpi", fields=dict(fields)) for each in ended_ms]
    await asyncio.to_thread(store.keep, kept, life="charts")
    store.close()
    await page.reload()
    errors = page.locator("#charts figure[data-key=errors] svg")
    for span, points in (("hour", 1), ("day", 2), ("month", 0)):
        await soon(partial(charted, page, span, points), what=f"points of the last {span}")
        await expect(errors).to_be_visible(timeout=PAGE_TIMEOUT_MS)
        await expect(page.locator("#charts figure")).to_have_count(4)


async def charted(page: Page, span: str, points: int) -> bool:
    """Choose a span, which asks for it again, and return whether it has come with so many points."""
    await page.click(f"#charts [data-span={span}]")
    counted = f"window.shown.{span} ? (window.shown.{span}.kpis.errors ?? []).length : -1"
    return bool(await page.evaluate(counted) >= points)


async def test_markup_in_the_name_of_a_device_is_text(page: Page) -> None:
    title = page.locator(f"[data-device='{DEVICE}'] .title")
    await expect(title).to_have_text(NOT_MARKUP, timeout=PAGE_TIMEOUT_MS)
    await expect(page.locator(".turn .device").first).to_have_text(NOT_MARKUP)
    assert await page.locator("main img").count() == 0


async def test_a_turn_that_is_opened_or_linked_tells_why_its_calls_went_where_they_went(
    page: Page, console: ConsoleProcess
) -> None:
    newest = await page.locator(".turn").first.get_attribute("data-turn") or ""
    turn = page.locator(f"[data-turn='{newest}']")  # a later one may take its place
    await turn.locator("summary").click()
    calls = turn.locator(".calls li")
    await expect(calls.filter(has_text="LLM → llm-").first).to_be_visible(timeout=PAGE_TIMEOUT_MS)
    await expect(calls.first).to_contain_text("among")
    await page.goto("about:blank")
    await page.goto(f"{console.url}/#device=02:00:00:00:00:ff")
    await expect(page.locator("#turns .note")).to_contain_text("No turn of", timeout=PAGE_TIMEOUT_MS)
    await page.goto("about:blank")
    await page.goto(f"{console.url}/#turn={newest[:6]}")
    await expect(calls.first).to_be_visible(timeout=PAGE_TIMEOUT_MS)


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(("color_scheme", "locale"), [("light", "en-US"), ("dark", "zh-CN")])
async def test_axe_finds_nothing_on_any_screen(
    browser: Browser,
    console: ConsoleProcess,
    color_scheme: Literal["light", "dark"],
    locale: str,
) -> None:
    found: list[str] = []
    async with new_tab(browser, color_scheme=color_scheme, locale=locale) as tab:
        await tab.page.goto(console.url)
        await tab.page.locator(".turn summary").first.click(timeout=PAGE_TIMEOUT_MS)
        await expect(tab.page.locator(".calls li").first).to_be_visible(timeout=PAGE_TIMEOUT_MS)
        for width, height in SCREENS:
            await tab.page.set_viewport_size({"width": width, "height": height})
            result = (await Axe().run(tab.page)).response
            assert result["passes"], "axe has looked at nothing"
            found += [
                f"{width} {each['impact']} {each['id']}: {[node['target'] for node in each['nodes']]}"
                for each in result["violations"]
            ]
            assert await tab.page.evaluate("document.documentElement.scrollWidth") <= width
        await tab.page.set_viewport_size({"width": 360, "height": 740})
        await tab.page.locator("#session").click()
        found += [each["id"] for each in (await Axe().run(tab.page)).response["violations"]]
        await signs_in(tab.page)
        for opener in ("#instances .more", "#devices .more", "#personas .more", "[data-persona-new]"):
            await tab.page.locator(opener).first.click()
            await tab.page.wait_for_selector("dialog[open]")
            found += [f"{opener} {each['id']}" for each in (await Axe().run(tab.page)).response["violations"]]
            await tab.page.keyboard.press("Escape")
    assert found == []


async def test_a_console_that_is_gone_is_told_and_the_page_goes_on_by_itself(
    browser: Browser, console: ConsoleProcess
) -> None:
    async with new_tab(browser, expects_errors=True) as tab:
        await tab.page.goto(console.url)
        await tab.page.wait_for_selector("body[data-feed=live]", timeout=PAGE_TIMEOUT_MS)
        console.kill()
        await expect(tab.page.locator("#outage")).to_contain_text("last picture", timeout=PAGE_TIMEOUT_MS)
        assert await tab.page.locator(".instance").count() > 0
        await asyncio.to_thread(console.start)
        await tab.page.wait_for_selector("body[data-feed=live]", timeout=PAGE_TIMEOUT_MS)
        await expect(tab.page.locator("#outage")).not_to_contain_text("console does not answer")

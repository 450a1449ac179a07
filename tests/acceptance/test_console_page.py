"""The console in Chromium over the whole system: true numbers, any screen, both languages and themes."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import subprocess
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page, expect
from prometheus_client.parser import text_string_to_metric_families

from dispatcher.devices import registry
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from tests.acceptance.talk_page import new_tab
from tests.support.console import ConsoleProcess
from tests.support.processes import BIN, own_environment
from tests.support.stack import Stack
from tests.support.waiting import WAIT_TIMEOUT_S, soon

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PASSWORD = "open sesame"
DEVICE = "02:00:00:00:00:16"
NOT_MARKUP = "<img src=x onerror=alert(1)>"
SCREENS = ((360, 740), (768, 1024), (1440, 900))
PAGE_TIMEOUT_MS = WAIT_TIMEOUT_S * 1000


@pytest.fixture(scope="module")
def console(running_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    environ = {**running_stack.environ, "OPERATOR_PASSWORD": PASSWORD}
    running = ConsoleProcess(environ, tmp_path_factory.mktemp("console"))
    running_stack.heal()
    running.start()
    yield running
    running.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, console: ConsoleProcess, stack: Stack) -> AsyncGenerator[Page]:
    """The page, live, after a turn of a device whose name looks like markup."""
    async with stack.front.device(DEVICE) as device:
        await device.types("How are you today?")
    redis = RedisClient(connect(stack.broker.url))
    await registry.set_field(redis, DEVICE, "name", NOT_MARKUP)
    await redis.close()
    async with new_tab(browser) as tab:
        await tab.page.goto(console.url)
        await expect(tab.page.locator(".turn").first).to_be_visible(timeout=PAGE_TIMEOUT_MS)
        yield tab.page


async def signs_in(page: Page) -> None:
    """Fill in the dialog that is open."""
    await page.fill("#sign-in [name=name]", "Ada")
    await page.fill("#sign-in [name=password]", PASSWORD)
    await page.click("#sign-in .primary-button")
    await expect(page.locator("#sign-in")).not_to_be_visible()


async def shown(page: Page) -> dict[str, Any]:
    """Return what the page was sent of instances, by name."""
    status = await page.evaluate("window.shown.status")
    return {each["name"]: each for service in status["services"] for each in service["instances"]}


def told_by_command(stack: Stack) -> dict[str, Any]:
    """Return what `dispatcher status --json` says of instances, by name."""
    command = [str(BIN / "dispatcher"), "status", "--json"]
    done = subprocess.run(command, env=own_environment(stack.environ), capture_output=True, check=True)
    status = json.loads(done.stdout)
    return {each["name"]: each for service in status["services"] for each in service["instances"]}


def scraped(console: ConsoleProcess, name: str) -> dict[str, float]:
    """Return a metric of instances, by instance."""
    families = text_string_to_metric_families(console.get("/metrics"))
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {sample.labels["instance"]: sample.value for sample in samples}


async def test_page_metrics_command_and_redis_say_the_same(
    page: Page, console: ConsoleProcess, stack: Stack
) -> None:
    await stack.is_given_back()
    redis = RedisClient(connect(stack.broker.url))

    async def agree() -> bool:
        of_page, of_command = await shown(page), await asyncio.to_thread(told_by_command, stack)
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


async def test_an_operator_steers_instances_and_personas_by_clicking(page: Page, stack: Stack) -> None:
    del stack
    row = page.locator("[data-instance='tts-1']")
    await row.locator(".more").click()
    await signs_in(page)
    await page.select_option("#act [name=action]", "drain")
    await page.fill("#act [name=why]", "new voice")
    await page.click("#act .primary-button")
    await expect(row).to_have_attribute("data-state", "draining", timeout=PAGE_TIMEOUT_MS)
    await row.locator(".more").click()
    await page.select_option("#act [name=action]", "restore")
    await page.click("#act .primary-button")
    await expect(row).to_have_attribute("data-state", re.compile("slow start|ready"), timeout=PAGE_TIMEOUT_MS)
    kept = page.locator("#actions li")
    await expect(kept.nth(1)).to_contain_text("new voice", timeout=PAGE_TIMEOUT_MS)
    await expect(kept.nth(1)).to_contain_text("Ada")
    await holds_a_weight(page, row)
    await edits_the_default(page)


async def holds_a_weight(page: Page, row: Locator) -> None:
    """Hold a weight for an hour, and end that."""
    await row.locator(".more").click()
    await page.select_option("#act [name=action]", "weight")
    await page.fill("#act [name=value]", "7")
    await page.fill("#act [name=for]", "1h")
    await page.click("#act .primary-button")
    await expect(row.locator(".held")).to_contain_text("by Ada", timeout=PAGE_TIMEOUT_MS)
    await row.locator(".more").click()
    await page.select_option("#act [name=action]", "weight")
    await page.fill("#act [name=value]", "auto")
    await page.click("#act .primary-button")
    await expect(row.locator(".held")).to_have_count(0, timeout=PAGE_TIMEOUT_MS)


async def edits_the_default(page: Page) -> None:
    """Edit what all devices go by, and take it back."""
    await page.locator("#personas [data-edit='']").click()
    await page.fill("#persona [name=system_prompt]", "Be brief.")
    await page.click("#persona .primary-button")
    await expect(page.locator("#personas .pill")).to_have_count(1, timeout=PAGE_TIMEOUT_MS)
    await page.locator("#personas [data-edit='']").click()
    await expect(page.locator("#persona [name=system_prompt]")).to_have_value("Be brief.")
    await page.click("#persona .reset")
    await expect(page.locator("#persona [name=system_prompt]")).not_to_have_value("Be brief.")
    await page.click("#persona .primary-button")
    await expect(page.locator("#personas .pill")).to_have_count(0, timeout=PAGE_TIMEOUT_MS)


async def test_a_killed_instance_is_seen_with_its_reason(page: Page, stack: Stack) -> None:
    stack.instances.of("llm")[0].kill()
    row = page.locator("[data-instance='llm-1']")
    numbers = itertools.count()

    async def is_seen() -> bool:
        # A dialogue stays where its prompt was read; a new one goes to either.
        async with stack.front.device(f"new-{next(numbers)}") as device:
            await device.types("How are you today?")
        return not (await row.locator(".sub").first.inner_text()).startswith("http")

    await soon(is_seen, what="the reason is on the page")


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

"""Flower in Chromium, from the link on the talk page to workers, pools and tasks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from http import HTTPStatus

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error, Page, expect

from dispatcher.messages import QUEUES
from dispatcher.supervisor.flower_environment import USER
from tests.acceptance.talk_page import DESKTOP, INSECURE_HOST, new_tab
from tests.support.flower import EventSwitch, Flower
from tests.support.instances import SENTENCES
from tests.support.stack import Front, Stack
from tests.support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAGE_TIMEOUT_MS = 20_000
QUESTION = "How are you today?"


@pytest.fixture(scope="module")
def flower(running_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flower]:
    running = Flower(tmp_path_factory.mktemp("flower"), environ=running_stack.environ, idle_s=120)
    running.start()
    yield running
    running.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, flower: Flower) -> AsyncGenerator[Page]:
    """A tab whose user knows the password."""
    credentials = {"username": USER, "password": flower.password}
    context = await browser.new_context(viewport=DESKTOP, http_credentials=credentials)  # type: ignore[arg-type]
    yield await context.new_page()
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def front(stack: Stack, flower: Flower) -> AsyncGenerator[Front]:
    """A front that was told of Flower, as `dispatcher up` tells it."""
    async with stack.another_front(FLOWER_LINK="true", FLOWER_PORT=str(flower.port)) as another:
        yield another


async def test_the_operator_sees_workers_pools_and_tasks_but_no_words(
    page: Page, flower: Flower, stack: Stack
) -> None:
    switch = EventSwitch(stack)
    await page.goto(flower.url)
    rows = page.locator("#workers-table tbody tr", has_text="Online")
    await expect(rows).to_have_count(len(QUEUES), timeout=PAGE_TIMEOUT_MS)
    switch.is_turned("enabled")

    await rows.filter(has_text="llm").get_by_role("link").first.click()
    pool = page.get_by_role("table", name="Worker pool options")
    await expect(pool.get_by_role("row", name="Max concurrency")).to_contain_text(
        "16", timeout=PAGE_TIMEOUT_MS
    )

    async with stack.front.device("02:00:00:00:00:12") as device:
        answer = await device.types(QUESTION)
    eventually(lambda: "tts.synthesize" in {task["name"] for task in flower.tasks()}, what="tasks in Flower")
    await page.goto(f"{flower.url}/tasks")
    await expect(page.locator("#tasks-table")).to_contain_text("tts.synthesize", timeout=PAGE_TIMEOUT_MS)
    await expect(page.locator("#tasks-table")).to_contain_text("llm.respond")
    shown = await page.content()
    assert answer.sentences == SENTENCES
    assert [text for text in (QUESTION, *SENTENCES) if text in shown] == []


async def test_without_the_password_the_browser_shows_nothing(browser: Browser, flower: Flower) -> None:
    async with new_tab(browser, expects_errors=True) as tab:
        with suppress(Error):  # Chromium takes the refusal for an error, its headless shell shows the body
            answer = await tab.page.goto(flower.url)
            assert answer is not None
            assert answer.status == HTTPStatus.UNAUTHORIZED
        assert "celery@" not in await tab.page.content()
        assert await tab.page.locator("table").count() == 0


async def test_the_talk_page_links_to_flower_from_where_it_can_be_reached(
    browser: Browser, front: Front, flower: Flower
) -> None:
    async with new_tab(browser, expects_errors=True) as here:
        await here.page.goto(front.url)
        link = here.page.locator("#flower")
        await expect(link).to_be_visible(timeout=PAGE_TIMEOUT_MS)
        assert await link.get_attribute("href") == f"{flower.url}/"
    async with new_tab(browser, expects_errors=True) as elsewhere:
        await elsewhere.page.goto(f"http://{INSECURE_HOST}:{front.port}/")
        await expect(elsewhere.page.locator("footer")).to_be_visible(timeout=PAGE_TIMEOUT_MS)
        await expect(elsewhere.page.locator("#flower")).to_be_hidden()


async def test_without_flower_there_is_no_link(browser: Browser, stack: Stack) -> None:
    async with new_tab(browser) as tab:
        await tab.opens(stack.front.url)
        await expect(tab.page.locator("#flower")).to_be_hidden()

"""An operator who steers by clicking: instances, personas, the ladder of overload; and what a budget does."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from dataclasses import replace

import pytest
from playwright.async_api import Page, expect
from redis import Redis

from dispatcher.catalogue.model import ConsoleRules
from dispatcher.catalogue.usage_rules import Budget, Price, UsageRules
from dispatcher.redis_client import keys
from dispatcher.routing.rules.budgets import counter_of
from tests.acceptance.console_page import PAGE_TIMEOUT_MS, acts, signs_in
from tests.support.instances import TRANSCRIPT
from tests.support.stack import SYSTEM_PROMPT, Stack
from tests.support.waiting import soon

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# From the end of an instance until its row says why.
SEEN_WITHIN_S = 2.0


async def test_an_operator_drains_and_restores_an_instance_by_clicking(page: Page) -> None:
    row = page.locator("[data-instance='tts-1']")
    await acts(page, row.locator(".more"), "drain", why="new voice")
    await expect(row).to_have_attribute("data-state", "draining", timeout=PAGE_TIMEOUT_MS)
    await acts(page, row.locator(".more"), "restore")
    await expect(row).to_have_attribute("data-state", re.compile("slow start|ready"), timeout=PAGE_TIMEOUT_MS)
    kept = page.locator("#actions li")
    await expect(kept.nth(1)).to_contain_text("new voice", timeout=PAGE_TIMEOUT_MS)
    await expect(kept.nth(1)).to_contain_text("Ada")


async def test_a_weight_is_held_for_an_hour_and_let_go(page: Page) -> None:
    row = page.locator("[data-instance='tts-1']")
    await acts(page, row.locator(".more"), "weight", value="7", for_="1h")
    await expect(row.locator(".held")).to_contain_text("by Ada", timeout=PAGE_TIMEOUT_MS)
    await acts(page, row.locator(".more"), "weight", value="auto")
    await expect(row.locator(".held")).to_have_count(0, timeout=PAGE_TIMEOUT_MS)


async def test_a_persona_that_is_edited_speaks_the_next_turn_until_that_is_taken_back(
    page: Page, stack: Stack
) -> None:
    async def speaks_by(prompt: str) -> bool:
        stack.instances.forget_asked()
        async with stack.front.device("listener") as device:
            await device.types("How are you today?")
        asked = [body["messages"][0]["content"] for tap in stack.instances.taps for _, body in tap.requests()]
        return bool(asked) and set(asked) == {prompt}

    await page.locator("#personas [data-edit='']").click()
    await signs_in(page)
    await page.fill("#persona [name=system_prompt]", "Be brief.")
    await page.click("#persona .primary-button")
    await expect(page.locator("#personas .pill")).to_have_count(1, timeout=PAGE_TIMEOUT_MS)
    await soon(lambda: speaks_by("Be brief."), what="the edited persona speaks")
    await page.locator("#personas [data-edit='']").click()
    await expect(page.locator("#persona [name=system_prompt]")).to_have_value("Be brief.")
    await page.click("#persona .reset")
    await expect(page.locator("#persona [name=system_prompt]")).to_have_value(SYSTEM_PROMPT)
    await page.click("#persona .primary-button")
    await expect(page.locator("#personas .pill")).to_have_count(0, timeout=PAGE_TIMEOUT_MS)
    await soon(lambda: speaks_by(SYSTEM_PROMPT), what="the YAML's persona speaks again")


async def test_a_step_of_overload_is_pinned_and_let_go(page: Page) -> None:
    line = page.locator("[data-overload]")
    opener = page.locator("[data-offer=overload]")
    await expect(line).to_have_attribute("data-overload", "0", timeout=PAGE_TIMEOUT_MS)
    await acts(page, opener, "pin", value="2", why="the fair")
    await expect(line).to_have_attribute("data-pinned", "2", timeout=PAGE_TIMEOUT_MS)
    await expect(line).to_contain_text("step 2 is pinned by Ada")
    await expect(line).to_have_attribute("data-overload", "2", timeout=PAGE_TIMEOUT_MS)
    await expect(line).to_contain_text("short answers")
    await acts(page, opener, "pin", value="auto")
    await expect(line).to_have_attribute("data-overload", "0", timeout=PAGE_TIMEOUT_MS)
    await expect(line).not_to_have_attribute("data-pinned", re.compile(""))


async def test_what_was_said_is_shown_only_while_the_yaml_says_so(page: Page, stack: Stack) -> None:
    own, words = stack.own_catalogue, page.locator(".turn[open] .words")
    opened = page.locator(".turn[open] .calls li")
    await page.locator(".turn summary").first.click()
    await expect(opened.first).to_be_visible(timeout=PAGE_TIMEOUT_MS)
    await expect(words).to_have_count(0)
    await stack.activate(replace(own, console=ConsoleRules(transcripts=True)))
    async with stack.front.device("heard") as device:
        await device.says()
    turn = page.locator(".turn", has=page.locator(".device", has_text="heard")).first
    await turn.locator("summary").click(timeout=PAGE_TIMEOUT_MS)
    await expect(turn.locator("[data-words=said]")).to_contain_text(TRANSCRIPT, timeout=PAGE_TIMEOUT_MS)
    await expect(turn.locator("[data-words=answered]")).to_contain_text("kettle")
    await stack.activate(own)
    await page.reload()
    await turn.locator("summary").click(timeout=PAGE_TIMEOUT_MS)
    await expect(opened.first).to_be_visible(timeout=PAGE_TIMEOUT_MS)
    await expect(words).to_have_count(0)
    assert TRANSCRIPT not in await page.locator("body").inner_text()


async def test_a_budget_that_is_spent_is_shown_with_what_it_does(page: Page, stack: Stack) -> None:
    own = stack.own_catalogue
    llm = own.services["llm"]
    paid, local = llm.instances
    instances = (replace(paid, priority="high", price=Price(calls=1)), local)
    services = {**own.services, "llm": replace(llm, instances=instances)}
    budget = Budget(per="day", device="shopper", cost=2)
    await stack.activate(replace(own, services=services, usage=UsageRules(budgets={"sweets": budget})))
    line = page.locator("[data-budget=sweets]")
    await expect(line).to_have_attribute("data-state", "ok", timeout=PAGE_TIMEOUT_MS)
    async with stack.front.device("shopper") as device:
        for number in range(3):
            assert (await device.types(f"what is {number} plus two?")).sentences
    await expect(line).to_have_attribute("data-state", "spent", timeout=PAGE_TIMEOUT_MS)
    await expect(line).to_contain_text("2 of 2")
    await expect(line).to_contain_text("local instances only")
    turn = page.locator(".turn", has=page.locator(".device", has_text="shopper")).first
    await turn.locator("summary").click()
    await expect(turn.locator(".facts").first).to_contain_text(f"LLM {local.name}", timeout=PAGE_TIMEOUT_MS)
    await stack.activate(own)
    await expect(line).to_have_count(0, timeout=PAGE_TIMEOUT_MS)
    with Redis.from_url(stack.broker.url) as client:
        client.delete(keys.BUDGET_PREFIX + counter_of("sweets", budget))


async def test_a_killed_instance_is_seen_with_its_reason_within_two_seconds(page: Page, stack: Stack) -> None:
    reason = page.locator("[data-instance='llm-1'] .sub").first
    await expect(reason).to_contain_text("http", timeout=PAGE_TIMEOUT_MS)
    numbers = itertools.count()

    async def talks() -> None:
        # A dialogue stays where its prompt was read; a new one goes to either.
        while True:
            async with stack.front.device(f"new-{next(numbers)}") as device:
                await device.types("How are you today?")

    talking = [asyncio.create_task(talks()) for _ in range(4)]
    try:
        stack.instances.of("llm")[0].kill()
        killed_at_s = time.monotonic()
        await expect(reason).not_to_contain_text("http:", timeout=PAGE_TIMEOUT_MS)
        seen_after_s = time.monotonic() - killed_at_s
    finally:
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
    assert seen_after_s < SEEN_WITHIN_S

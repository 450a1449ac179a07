"""The console in Chromium: a tab that is live, and an operator who signs in and acts."""

from __future__ import annotations

from typing import Final

from playwright.async_api import Locator, Page, expect

from tests.support.waiting import WAIT_TIMEOUT_S

OPERATOR_PASSWORD: Final = "open sesame"
DEVICE: Final = "02:00:00:00:00:16"
NOT_MARKUP: Final = "<img src=x onerror=alert(1)>"
PAGE_TIMEOUT_MS: Final = WAIT_TIMEOUT_S * 1000


async def signs_in(page: Page) -> None:
    """Fill in the dialog that is open."""
    await page.fill("#sign-in [name=name]", "Ada")
    await page.fill("#sign-in [name=password]", OPERATOR_PASSWORD)
    await page.click("#sign-in .primary-button")
    await expect(page.locator("#sign-in")).not_to_be_visible()


async def acts(page: Page, opener: Locator, action: str, **fields: str) -> None:
    """Choose an action from a menu, fill in its form, and confirm; who is not signed in does so first."""
    await opener.click()
    await expect(page.locator("dialog[open]")).to_be_visible()
    if await page.locator("#sign-in").is_visible():
        await signs_in(page)
    await page.select_option("#act [name=action]", action)
    for name, text in fields.items():
        await page.fill(f"#act [name={name.rstrip('_')}]", text)
    await page.click("#act .primary-button")
    await expect(page.locator("#act")).not_to_be_visible(timeout=PAGE_TIMEOUT_MS)

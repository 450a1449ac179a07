"""`make screenshots`: the pictures of the READMEs, taken of the whole system as `make run` starts it."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import oxipng
from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from dispatcher.supervisor.ports import is_taken
from tests.acceptance.talk_page import BROWSER, FLAGS, TalkPage, new_tab
from tests.acceptance.whole_system import WholeSystem
from tests.support.processes import ROOT

FOLDER: Final = ROOT / "docs" / "images"
DESKTOP: Final = ViewportSize(width=1120, height=680)
WIDE: Final = ViewportSize(width=1440, height=920)
PORT: Final = 8000
PHONE: Final = ViewportSize(width=360, height=680)
QUESTIONS: Final = {
    "en-US": ("What time is it?", "What is 12.5 percent of 80?"),
    "zh-CN": ("现在几点了？", "二十五乘以四等于多少？"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One file below docs/images.

    Attributes:
        opens: what is clicked after the conversation, if anything.
        waits_for: what has to be seen then.
        element: the part of the page that is taken; else what the viewport shows.
    """

    name: str
    locale: str
    color_scheme: str = "light"
    viewport: ViewportSize = field(default_factory=DESKTOP.copy)
    is_phone: bool = False
    opens: str = ""
    waits_for: str = ""
    element: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """Return the browser's context of the picture."""
        shape = {"viewport": PHONE, "has_touch": True, "is_mobile": True} if self.is_phone else {}
        return {"viewport": self.viewport, "locale": self.locale, "color_scheme": self.color_scheme, **shape}


PICTURES: Final = tuple(
    picture
    for suffix, locale in (("en", "en-US"), ("zh", "zh-CN"))
    for picture in (
        Picture(name=f"talk-{suffix}", locale=locale),
        Picture(
            name=f"connect-{suffix}",
            locale=locale,
            is_phone=True,
            color_scheme="dark",
            opens="#device-open",
            waits_for="#device .qr",
        ),
        Picture(
            name=f"readiness-{suffix}",
            locale=locale,
            is_phone=True,
            opens="#readiness-open",
            waits_for="#readiness dd",
        ),
    )
)


STARTED: Final = "[data-kpi=instances_healthy]:not([data-tone=bad])"
STARTED_TIMEOUT_MS: Final = 120_000
# Taken last, when there are turns to be seen.
CONSOLE_PICTURES: Final = tuple(
    picture
    for suffix, locale in (("en", "en-US"), ("zh", "zh-CN"))
    for picture in (
        Picture(name=f"console-{suffix}", locale=locale, viewport=WIDE, waits_for=".turn"),
        Picture(
            name=f"console-turn-{suffix}",
            locale=locale,
            viewport=WIDE,
            color_scheme="dark",
            opens=".turn summary",
            waits_for=".turn .calls",
            element="#turns",
        ),
    )
)


async def take_all(url: str, console_url: str) -> None:
    """Take every picture of the talk page and of the console at these addresses."""
    FOLDER.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        for picture in PICTURES:
            await take(browser, url, picture)
        for picture in CONSOLE_PICTURES:
            await take_console(browser, console_url, picture)
        await browser.close()


async def take(browser: Browser, url: str, picture: Picture) -> None:
    """Talk as a user would, and write what is to be seen then."""
    async with new_tab(browser, **picture.options) as talk:
        await talk.opens(url)
        await ask(talk, QUESTIONS[picture.locale])
        if picture.opens:
            await talk.page.click(picture.opens)
            await talk.page.locator(picture.waits_for).first.wait_for()
            await talk.page.wait_for_load_state("networkidle")
        await write(talk.page, picture)


async def take_console(browser: Browser, url: str, picture: Picture) -> None:
    """Open the console, and write what is to be seen once it is live."""
    async with new_tab(browser, **picture.options) as tab:
        await tab.page.goto(url)
        await tab.page.locator("body[data-feed=live]").wait_for()
        # Instances that were loading at the start were unhealthy until a while ago.
        await tab.page.locator(STARTED).wait_for(timeout=STARTED_TIMEOUT_MS)
        if picture.opens:
            await tab.page.locator(picture.opens).first.click()
        await tab.page.locator(picture.waits_for).first.wait_for()
        await write(tab.page, picture)


async def write(page: Page, picture: Picture) -> None:
    """Write what the page shows, as a small file."""
    path = FOLDER / f"{picture.name}.png"
    if picture.element:
        await page.locator(picture.element).screenshot(path=path)
    else:
        await page.screenshot(path=path)
    oxipng.optimize(path, level=6, strip=oxipng.StripChunks.safe())
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1000} kB")  # noqa: T201  what the command is for


async def ask(talk: TalkPage, questions: tuple[str, ...]) -> None:
    """Type each question and hear its answer out."""
    for question in questions:
        await talk.types(question)
        await talk.is_answered()
    # The ring around the button sinks after the last word.
    await talk.until(
        "!document.getElementById('meter').getContext('2d')"
        ".getImageData(0, 0, 400, 400).data.some((value) => value > 0)"
    )


def main() -> None:
    """Start the system, take the pictures, stop it."""
    with tempfile.TemporaryDirectory() as folder:
        # The address in the pictures is the usual one where nothing else has its port.
        system = WholeSystem(Path(folder), front_port=0 if is_taken("127.0.0.1", PORT) else PORT)
        try:
            system.is_up()
            asyncio.run(take_all(system.url, system.console_url))
        finally:
            system.stop()


if __name__ == "__main__":
    main()

"""The talk page in Chromium, as its user sees and handles it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, Playwright, ViewportSize

from tests.support.waiting import WAIT_TIMEOUT_S

# The shell has no window to draw, which halves what a page costs; else the browser that people use.
SHELL, BROWSER = Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium")
CHROMIUM = SHELL if SHELL.exists() else BROWSER
DESKTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=360, height=740)
# A name for loopback that browsers, unlike "localhost", do not trust: what a LAN address looks like to them.
INSECURE_HOST = "talk.test"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    f"--host-resolver-rules=MAP {INSECURE_HOST} 127.0.0.1",
)


async def launch(playwright: Playwright, microphone_wav: Path) -> Browser:
    """Start Chromium whose microphone hears the file, again and again."""
    capture = f"--use-file-for-fake-audio-capture={microphone_wav}"
    return await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, capture])


@asynccontextmanager
async def new_tab(
    browser: Browser, *, expects_errors: bool = False, **context: Any
) -> AsyncGenerator[TalkPage]:
    """Open an empty tab with storage of its own.

    Errors in its console fail the test, unless some are expected.
    """
    options = {"viewport": DESKTOP, "locale": "en-US", **context}
    opened = await browser.new_context(**options)
    talk = TalkPage(await opened.new_page())
    try:
        yield talk
    finally:
        await opened.close()
    assert expects_errors or not talk.errors, f"the console complains: {talk.errors}"


class TalkPage:
    """One tab.

    Attributes:
        errors: what the browser's console complained about, and uncaught exceptions.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    async def opens(self, url: str) -> None:
        await self.page.goto(url)
        await self.is_in("ready")

    async def is_in(self, state: str) -> None:
        """Wait until the page is in the state."""
        await self.page.wait_for_selector(f"body[data-state={state}]", timeout=WAIT_TIMEOUT_S * 1000)

    async def until(self, expression: str) -> None:
        """Wait until a JavaScript expression holds.

        Playwright's own wait_for_function needs eval, which the page's policy forbids.
        """
        async with asyncio.timeout(WAIT_TIMEOUT_S):
            while not await self.page.evaluate(expression):  # noqa: ASYNC110  the state is in the browser
                await asyncio.sleep(0.02)

    async def types(self, text: str) -> None:
        await self.page.fill("#composer input", text)
        await self.page.keyboard.press("Enter")

    async def holds_the_button(self) -> None:
        await self.page.hover("#talk")
        await self.page.mouse.down()
        await self.is_in("listening")

    async def lets_go(self) -> None:
        await self.page.mouse.up()

    async def speaks(self, frames: int = 8) -> None:
        """Hold the button until that many more frames of 60 ms have left."""
        before = (await self.status())["framesSent"]
        await self.holds_the_button()
        await self.until(f"window.talk.framesSent >= {before + frames}")
        await self.lets_go()

    async def is_answered(self) -> dict[str, int]:
        """Wait for the end of the answer and return the turn's times in ms."""
        await self.until("window.talk.lastTurn?.complete > 0 && window.talk.state === 'ready'")
        times: dict[str, int] = (await self.status())["lastTurn"]
        return times

    async def status(self) -> dict[str, Any]:
        """Return the page's read-only `window.talk`."""
        status: dict[str, Any] = await self.page.evaluate("({...window.talk})")
        return status

    async def bubbles(self, who: str) -> list[str]:
        """Return what the bubbles of "user" or "assistant" say, oldest first."""
        return await self.page.locator(f".{who} .bubble").all_inner_texts()

    async def notice(self) -> str:
        """Wait for the message bar and return its text."""
        bar = self.page.locator("#notice")
        await bar.wait_for(state="visible", timeout=WAIT_TIMEOUT_S * 1000)
        return await bar.locator("p").inner_text()

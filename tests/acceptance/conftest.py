"""Fixtures of the browser tests: Chromium, a peer to talk to, the talk page open on it, and the console.

They live on one event loop for the whole run, so that Chromium starts once; tests that use them say
`pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]`.
"""

from __future__ import annotations

import os
import wave
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from dispatcher.devices import registry
from dispatcher.redis_client.client import RedisClient, connect
from tests.acceptance.console_page import DEVICE, NOT_MARKUP, OPERATOR_PASSWORD, PAGE_TIMEOUT_MS
from tests.acceptance.talk_page import CHROMIUM, TalkPage, launch, new_tab
from tests.acceptance.talk_peer import TalkPeer, serve, tone
from tests.support.console import ConsoleProcess
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def microphone_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Chromium's microphone hears: a swelling tone."""
    path = tmp_path_factory.mktemp("talk") / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(tone(300, rate_hz=48_000, seconds=2))
    return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(microphone_wav: Path) -> AsyncGenerator[Browser]:
    """Chromium; where it is missing, tests skip on a desk and fail in CI."""
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is missing; install Debian's chromium-headless-shell or chromium")
        pytest.skip(f"{CHROMIUM} is not installed")
    async with async_playwright() as playwright:
        running = await launch(playwright, microphone_wav)
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def peer() -> AsyncGenerator[TalkPeer]:
    async with serve(TalkPeer()) as serving:
        yield serving


@pytest.fixture
def talk_url(peer: TalkPeer) -> str:
    """The address of the page under test; override it to test against a real front."""
    return peer.url


@pytest_asyncio.fixture(loop_scope="session")
async def talk(browser: Browser, talk_url: str) -> AsyncGenerator[TalkPage]:
    """The page, open and connected."""
    async with new_tab(browser) as tab:
        await tab.opens(talk_url)
        yield tab


@pytest.fixture(scope="module")
def console(running_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    """A console of the whole system."""
    environ = {**running_stack.environ, "OPERATOR_PASSWORD": OPERATOR_PASSWORD}
    running = ConsoleProcess(environ, tmp_path_factory.mktemp("console"))
    running_stack.heal()
    running.start()
    yield running
    running.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, console: ConsoleProcess, stack: Stack) -> AsyncGenerator[Page]:
    """Its page, live, after a turn of a device whose name looks like markup."""
    async with stack.front.device(DEVICE) as device:
        await device.types("How are you today?")
    redis = RedisClient(connect(stack.broker.url))
    await registry.set_field(redis, DEVICE, "name", NOT_MARKUP)
    await redis.close()
    async with new_tab(browser) as tab:
        await tab.page.goto(console.url)
        await expect(tab.page.locator(".turn").first).to_be_visible(timeout=PAGE_TIMEOUT_MS)
        yield tab.page

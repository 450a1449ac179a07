"""The talk page by touch, with assistive tools, on any screen, in both languages and themes."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ViewportSize

from tests.acceptance.talk_page import PHONE, TalkPage, new_tab
from tests.acceptance.talk_peer import Script, TalkPeer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SIDEWAYS = ViewportSize(width=640, height=320)
PHONE_OPTIONS: dict[str, Any] = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
SCREENS = ((360, 740), (768, 1024), (1440, 900))


async def complaints(talk: TalkPage) -> list[str]:
    """Return what axe finds, each with its weight and its place."""
    # What fades in or out has another contrast meanwhile.
    await talk.until("!document.getAnimations().some(each => each instanceof CSSTransition)")
    found = (await Axe().run(talk.page)).response
    assert found["passes"], "axe has looked at nothing"
    return [
        f"{each['impact']} {each['id']}: {[node['target'] for node in each['nodes']]}"
        for each in found["violations"]
    ]


@pytest.mark.parametrize(
    ("color_scheme", "locale"),
    [("light", "en-US"), ("dark", "en-US"), ("light", "zh-CN"), ("dark", "zh-CN")],
)
async def test_axe_finds_nothing_on_any_screen(
    browser: Browser, talk_url: str, peer: TalkPeer, color_scheme: Literal["light", "dark"], locale: str
) -> None:
    peer.script = Script(sentences=(("It is half past nine.", 2), ("一二三四五六七八九十" * 9, 2)))
    found: list[str] = []
    async with new_tab(browser, color_scheme=color_scheme, locale=locale) as talk:
        await talk.opens(talk_url)
        found += await complaints(talk)
        names = [await talk.page.locator("h1").inner_text(), (await talk.page.title()).split(" · ")[-1]]
        await talk.types("What time is it?")
        await talk.is_answered()
        for width, height in SCREENS:
            await talk.page.set_viewport_size({"width": width, "height": height})
            found += await complaints(talk)
            assert await talk.page.evaluate("document.documentElement.scrollWidth") <= width
        await talk.page.click("#hands-free")
        await talk.until("window.talk.handsFree && window.talk.lastTurn?.complete > 0")
        found += await complaints(talk)
        await talk.page.click("#hands-free")
        await talk.is_in("ready")
        for opener, shown in (("#device-open", "#device .qr"), ("#readiness-open", "#readiness dd")):
            await talk.page.click(opener)
            await talk.page.locator(shown).first.wait_for()
            found += await complaints(talk)
            await talk.page.keyboard.press("Escape")

    assert found == []
    assert set(names) == {"xiaozhi dispatcher"}


async def test_on_a_phone_a_tap_begins_and_another_one_ends_what_is_said(
    browser: Browser, talk_url: str, peer: TalkPeer
) -> None:
    async with new_tab(browser, **PHONE_OPTIONS) as talk:
        await talk.opens(talk_url)
        before = await talk.page.locator("#hint").inner_text()
        await talk.page.tap("#talk")
        await talk.until("window.talk.framesSent >= 8")
        during = await talk.page.locator("#hint").inner_text()
        await talk.page.tap("#talk")
        await talk.is_answered()
        await talk.page.tap("#talk")
        # Before the tab goes, which lets the button go as well.
        await peer.last.comes_to_say("listen start", "listen stop", "listen start")
        width = await talk.page.evaluate("[innerWidth, document.documentElement.scrollWidth]")

    assert (before, during) == ("Tap or hold to talk", "Tap when you are done")
    assert width == [PHONE["width"]] * 2


async def test_after_a_connection_lost_while_tapped_on_the_next_tap_begins_anew(
    browser: Browser, talk_url: str, peer: TalkPeer
) -> None:
    async with new_tab(browser, **PHONE_OPTIONS) as talk:
        await talk.opens(talk_url)
        await talk.page.tap("#talk")
        await talk.is_in("listening")
        await peer.last.socket.close()
        await talk.until("window.talk.state === 'ready'")
        await talk.page.tap("#talk")
        await talk.is_in("listening")
        before = await talk.page.evaluate("window.talk.framesSent")
        await talk.until(f"window.talk.framesSent >= {before} + 8")
        await talk.page.tap("#talk")
        await talk.is_answered()

    assert len(peer.connections) == 2
    assert peer.last.said() == ["listen start", "listen stop"]


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
async def test_on_a_phone_held_sideways_all_suggestions_are_in_sight(
    browser: Browser, talk_url: str, locale: str
) -> None:
    async with new_tab(browser, **{**PHONE_OPTIONS, "viewport": SIDEWAYS}, locale=locale) as talk:
        await talk.opens(talk_url)
        pane = await talk.page.locator(".pane").bounding_box()
        chips = [await chip.bounding_box() for chip in await talk.page.locator(".suggestions button").all()]

    assert pane is not None
    assert len(chips) == 3
    for chip in chips:
        assert chip is not None
        assert pane["y"] <= chip["y"]
        assert chip["y"] + chip["height"] <= pane["y"] + pane["height"]


async def test_a_new_conversation_is_begun_on_the_server_and_shown_empty(
    talk: TalkPage, peer: TalkPeer
) -> None:
    fresh = talk.page.locator("#new-dialogue")
    hidden_at_first = await fresh.is_hidden()
    await talk.types("My name is Ada")
    await talk.is_answered()
    await talk.page.reload()
    await talk.is_in("ready")
    # The server still has the dialogue, though the page shows nothing of it.
    offered_after_reload = await fresh.is_visible()
    await talk.types("Who am I?")
    await talk.is_answered()
    await fresh.click()
    await talk.page.locator("#welcome").wait_for()

    assert hidden_at_first
    assert offered_after_reload
    assert peer.last.said() == ["listen detect", "new_dialogue"]
    assert await talk.bubbles("user") == []
    assert await fresh.is_hidden()


async def test_a_server_that_forgets_nothing_is_not_said_to_have(talk: TalkPage, peer: TalkPeer) -> None:
    peer.forgets = False
    await talk.types("My name is Ada")
    await talk.is_answered()
    await talk.page.clock.install()
    await talk.page.click("#new-dialogue")
    await peer.last.comes_to_say("listen detect", "new_dialogue")
    await talk.page.clock.run_for(5_000)

    assert "did not begin a new conversation" in await talk.notice()
    assert await talk.bubbles("user") == ["My name is Ada"]


async def test_readiness_is_told_in_words_beside_the_conversation(talk: TalkPage, talk_url: str) -> None:
    await talk.types("Hello")
    await talk.is_answered()
    await talk.page.click("#readiness-open")
    rows = talk.page.locator("#readiness dl > div")
    await rows.first.wait_for()
    told = [row.split("\n") for row in await rows.all_inner_texts()]
    verdict = await talk.page.locator("#readiness .verdict").inner_text()
    await talk.page.keyboard.press("Escape")

    assert ["Language model (LLM)", "no worker takes its tasks"] in told
    assert ["Speech synthesis (TTS)", "no instance is ready: tts-1 (refused)"] in told
    assert verdict.strip() == "Not everything is ready"
    assert talk.page.url == talk_url
    assert await talk.bubbles("user") == ["Hello"]

"""The talk page where things are not as one would like: narrow, insecure, denied, cut off, twice open."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.async_api import Browser

from tests.acceptance.talk_page import INSECURE_HOST, PHONE, TalkPage, new_tab
from tests.acceptance.talk_peer import Script, TalkPeer, serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
DENIED = """navigator.mediaDevices.getUserMedia = async () => {
  throw new DOMException("Permission denied", "NotAllowedError");
}"""
RESAMPLED = """async ({ fromHz, toHz, toneHz, chunk }) => {
  const { Resampler } = await import("/assets/resampler.js");
  const sine = (at, rateHz) => Math.sin((2 * Math.PI * toneHz * at) / rateHz);
  const input = Float32Array.from({ length: fromHz }, (_, at) => sine(at, fromHz));
  const resampler = new Resampler(fromHz, toHz);
  const output = [];
  for (let at = 0; at < input.length; at += chunk) {
    output.push(...resampler.process(input.slice(at, at + chunk)));
  }
  const inside = output.slice(2000, -2000);
  const power = inside.reduce((sum, sample) => sum + sample * sample, 0) / inside.length;
  const errors = inside.map((sample, at) => Math.abs(sample - sine(at + 2000, toHz)));
  return { length: output.length, power, error: Math.max(...errors) };
}"""


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
async def test_a_phone_needs_no_sideways_scrolling(
    browser: Browser, talk_url: str, peer: TalkPeer, color_scheme: Literal["light", "dark"], locale: str
) -> None:
    # Spoken for long enough to be looked at, however busy the machine is.
    peer.script = Script(sentences=(("x" * 200, 3), ("一二三四五六七八九十" * 20, 200)))
    async with new_tab(
        browser, viewport=PHONE, color_scheme=color_scheme, locale=locale, has_touch=True
    ) as talk:
        await talk.opens(talk_url)
        idle = await talk.page.evaluate(OVERFLOW)
        await talk.types("https://example.org/" + "long/" * 60)
        await talk.is_in("speaking")
        speaking = await talk.page.evaluate(OVERFLOW)
        await talk.page.click("#device-open")
        with_dialog = await talk.page.evaluate(OVERFLOW)

    assert (idle, speaking, with_dialog) == (0, 0, 0)


async def test_plain_http_on_a_lan_says_why_there_is_no_microphone_and_still_answers(
    browser: Browser, peer: TalkPeer
) -> None:
    async with new_tab(browser) as talk:
        await talk.opens(peer.url.replace("127.0.0.1", INSECURE_HOST))
        said = await talk.notice()
        await talk.types("Hello")
        await talk.is_answered()
        status = await talk.status()

    assert "https" in said
    assert "localhost" in said
    assert status["format"] == "pcm"
    assert status["framesPlayed"] > 0


async def test_a_denied_microphone_is_explained_and_typing_still_works(
    browser: Browser, talk_url: str, peer: TalkPeer
) -> None:
    async with new_tab(browser) as talk:
        await talk.page.add_init_script(DENIED)
        await talk.opens(talk_url)
        await talk.page.hover("#talk")
        await talk.page.mouse.down()
        said = await talk.notice()
        await talk.page.mouse.up()
        await talk.types("Hello")
        await talk.is_answered()

    assert "blocked" in said
    assert peer.last.said() == ["listen detect"]


async def test_a_server_that_goes_away_is_shown_and_found_again(browser: Browser) -> None:
    peer = TalkPeer()
    # The browser itself reports requests that nobody answers.
    async with new_tab(browser, expects_errors=True) as talk:
        async with serve(peer):
            await talk.opens(peer.url)
            port = int(peer.url.rstrip("/").rpartition(":")[2])
        await talk.is_in("offline")
        said = await talk.notice()
        async with serve(peer, port=port):
            await talk.is_in("ready")
            await talk.types("Hello")
            await talk.is_answered()
            notice_is_gone = await talk.page.locator("#notice").is_hidden()

    assert "cannot be reached" in said
    assert len(peer.connections) == 2
    assert notice_is_gone


async def test_a_connection_lost_while_listening_ends_it_quietly(talk: TalkPage, peer: TalkPeer) -> None:
    await talk.holds_the_button()
    await peer.last.socket.close()
    await talk.until("window.talk.state === 'ready'")
    await talk.lets_go()
    await talk.types("Hello")
    await talk.is_answered()

    assert len(peer.connections) == 2
    assert peer.last.said() == ["listen detect"]


async def test_a_server_without_a_hello_counts_as_away(
    browser: Browser, talk_url: str, peer: TalkPeer
) -> None:
    peer.says_hello = False
    async with new_tab(browser) as talk:
        await talk.page.clock.install()
        await talk.page.goto(talk_url)
        await talk.is_in("connecting")
        await peer.is_greeted()
        await talk.page.clock.run_for(10_000)
        await talk.is_in("offline")
        peer.says_hello = True
        await talk.page.clock.run_for(1_000)
        await talk.is_in("ready")

    assert len(peer.connections) == 1


async def test_a_second_tab_takes_over_and_gives_back(talk: TalkPage, talk_url: str, peer: TalkPeer) -> None:
    second = TalkPage(await talk.page.context.new_page())
    await second.opens(talk_url)
    await talk.is_in("elsewhere")
    await talk.page.click("#notice .action")
    await second.is_in("elsewhere")
    await talk.is_in("ready")

    assert len(peer.connections) == 3
    assert len({connection.query["device-id"] for connection in peer.connections}) == 1


async def test_the_chosen_speech_language_is_told_by_ota_and_kept(talk: TalkPage, peer: TalkPeer) -> None:
    await talk.page.select_option("#speech", "zh")
    await talk.until("window.talk.state === 'ready'")
    await talk.page.reload()
    await talk.is_in("ready")

    assert peer.ota[0]["Accept-Language"] == "*"
    assert [request["Accept-Language"] for request in peer.ota[1:]] == ["zh-CN", "zh-CN"]


async def test_the_page_speaks_the_browser_s_language_and_can_change(browser: Browser, talk_url: str) -> None:
    async with new_tab(browser, locale="zh-CN") as talk:
        await talk.opens(talk_url)
        chinese = await talk.page.locator("#hint").inner_text()
        await talk.page.click("#page-language")
        english = await talk.page.locator("#hint").inner_text()
        language = await talk.page.get_attribute("html", "lang")

    assert (chinese, english, language) == ("按住说话", "Hold to talk", "en")


async def test_the_ota_address_for_devices_can_be_copied(talk: TalkPage) -> None:
    await talk.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await talk.page.click("#device-open")
    await talk.page.click("#device .copy")
    await talk.until("document.querySelector('#device .copy').textContent === 'Copied'")

    # The page was opened as 127.0.0.1, which a device cannot use; OTA knows a better name.
    copied = await talk.page.evaluate("navigator.clipboard.readText()")
    assert copied == "http://devices.example:8000/xiaozhi/ota/"


@pytest.mark.parametrize(("from_hz", "to_hz"), [(48_000, 16_000), (44_100, 16_000), (24_000, 44_100)])
async def test_resampling_keeps_a_tone_and_leaves_no_seams(talk: TalkPage, from_hz: int, to_hz: int) -> None:
    request = {"fromHz": from_hz, "toHz": to_hz, "toneHz": 1000, "chunk": 128}
    result = await talk.page.evaluate(RESAMPLED, request)

    assert result["error"] < 0.01
    assert abs(result["length"] - to_hz) < to_hz // 100


async def test_resampling_removes_what_the_lower_rate_cannot_hold(talk: TalkPage) -> None:
    request = {"fromHz": 48_000, "toHz": 16_000, "toneHz": 10_000, "chunk": 960}
    result = await talk.page.evaluate(RESAMPLED, request)

    assert result["power"] < 1e-5

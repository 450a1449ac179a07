"""The talk page in a real browser: it is a device, it is spoken to, it answers."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser

from dispatcher.audio.opus import OpusDecoder
from dispatcher.audio.pcm import level_dbfs
from tests.acceptance.talk_page import TalkPage, new_tab
from tests.acceptance.talk_peer import Script, TalkPeer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ANSWER = "It is half past nine. The sun is out."
ANSWER_FRAMES = 24
LONG_ANSWER = Script(sentences=(("This will take a long time.", 100), ("It goes on and on.", 100)))
UPLINK_HZ = 16_000
FRAME_BYTES = UPLINK_HZ * 60 // 1000 * 2


async def test_the_page_is_a_stock_device_and_stays_the_same_one(talk: TalkPage, peer: TalkPeer) -> None:
    await talk.page.reload()
    await talk.is_in("ready")
    first, second = peer.connections

    assert re.fullmatch(r"[0-9a-f][26ae](:[0-9a-f]{2}){5}", first.query["device-id"])
    assert first.query["authorization"] == "Bearer secret.123"
    assert second.query == first.query
    assert [request["Device-Id"] for request in peer.ota] == [first.query["device-id"]] * 2
    assert {request["Client-Id"] for request in peer.ota} == {first.query["client-id"]}
    assert first.hello == {
        "type": "hello",
        "version": 1,
        "transport": "websocket",
        "features": {},
        "audio_params": {"format": "opus", "sample_rate": 16000, "channels": 1, "frame_duration": 60},
    }


async def test_typed_text_is_answered_in_writing_and_in_sound(talk: TalkPage, peer: TalkPeer) -> None:
    await talk.types("What time is it?")
    times = await talk.is_answered()
    status = await talk.status()

    assert peer.last.messages[-1]["text"] == "What time is it?"
    assert await talk.bubbles("user") == ["What time is it?"]
    assert await talk.bubbles("assistant") == [ANSWER]
    assert await talk.page.locator(".face use").get_attribute("href") == "/assets/faces.svg#happy"
    assert status["framesPlayed"] == status["framesScheduled"] == ANSWER_FRAMES
    assert times["transcript"] <= times["firstSentence"] <= times["firstAudio"] < times["complete"]


async def test_the_waterfall_shows_the_times_of_the_turn_in_numbers(talk: TalkPage) -> None:
    await talk.types("Hello")
    times = await talk.is_answered()

    rows = await talk.page.locator(".times dl > div").all_inner_texts()

    names = ["transcript", "first sentence", "first audio", "answer complete"]
    assert [row.split("\n")[0] for row in rows] == names
    assert [int(re.sub(r"\D", "", row)) for row in rows] == list(times.values())


async def test_holding_the_button_sends_opus_that_decodes(talk: TalkPage, peer: TalkPeer) -> None:
    await talk.speaks(frames=10)
    await talk.is_answered()
    decoder = OpusDecoder(UPLINK_HZ)
    durations = {decoder.packet_duration_ms(packet) for packet in peer.last.packets}
    heard = b"".join(decoder.decode(packet) for packet in peer.last.packets)

    assert peer.last.said() == ["listen start", "listen stop"]
    assert peer.last.messages[1]["mode"] == "manual"
    assert len(peer.last.packets) >= 10
    assert durations == {60.0}
    assert level_dbfs(heard) > -40
    assert await talk.bubbles("user") == [peer.script.transcript]
    assert await talk.bubbles("assistant") == [ANSWER]


async def test_the_meter_moves_with_the_voice(talk: TalkPage) -> None:
    painted = """() => {
      const canvas = document.getElementById("meter");
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width || 1, canvas.height || 1).data;
      return pixels.some((value) => value > 0);
    }"""
    silent = await talk.page.evaluate(painted)

    await talk.holds_the_button()
    await talk.until(painted.replace("() =>", "(() =>") + ")()")

    assert not silent
    await talk.lets_go()


async def test_the_space_bar_is_the_button_except_in_the_text_field(talk: TalkPage, peer: TalkPeer) -> None:
    await talk.page.focus("#composer input")
    await talk.page.keyboard.type("a b")
    await talk.page.evaluate("document.activeElement.blur()")
    said_while_typing = list(peer.last.said())
    await talk.page.keyboard.down("Space")
    await talk.until("window.talk.framesSent >= 8")
    await talk.page.keyboard.up("Space")
    await talk.is_answered()

    assert await talk.page.input_value("#composer input") == "a b"
    assert said_while_typing == []
    assert peer.last.said() == ["listen start", "listen stop"]


async def test_a_tap_is_no_utterance(talk: TalkPage, peer: TalkPeer) -> None:
    await talk.speaks()
    await talk.is_answered()
    await talk.page.click("#talk")

    assert "Keep the button down" in await talk.notice()
    await talk.is_in("ready")
    await peer.last.comes_to_say("listen start", "listen stop", "listen start", "abort")
    assert (await talk.status())["turns"] == 1


async def test_a_browser_without_webcodecs_talks_pcm(browser: Browser, talk_url: str, peer: TalkPeer) -> None:
    async with new_tab(browser) as talk:
        await talk.page.add_init_script("delete window.AudioEncoder")
        await talk.opens(talk_url)
        await talk.speaks(frames=10)
        await talk.is_answered()
        status = await talk.status()

    assert peer.last.audio_format == status["format"] == "pcm"
    assert {len(packet) for packet in peer.last.packets} == {FRAME_BYTES}
    assert level_dbfs(b"".join(peer.last.packets)) > -40
    assert status["framesPlayed"] == ANSWER_FRAMES


async def test_talking_over_the_answer_aborts_it_and_is_answered_anew(talk: TalkPage, peer: TalkPeer) -> None:
    peer.script = LONG_ANSWER
    await talk.types("Tell me a story")
    await talk.until("window.talk.framesPlayed >= 3")
    peer.script = Script()
    await talk.speaks()
    await talk.is_answered()

    assert peer.last.said() == ["listen detect", "abort", "listen start", "listen stop"]
    told, answered = await talk.bubbles("assistant")
    assert told == "This will take a long time. · interrupted"
    assert answered == ANSWER


async def test_the_answer_falls_silent_at_once_when_the_button_goes_down(
    talk: TalkPage, peer: TalkPeer
) -> None:
    peer.script = LONG_ANSWER
    await talk.types("Tell me a story")
    await talk.until("window.talk.framesPlayed >= 3")
    await talk.holds_the_button()
    played = (await talk.status())["framesPlayed"]
    await talk.until("window.talk.framesSent >= 10")

    assert (await talk.status())["framesPlayed"] == played
    await talk.lets_go()


@pytest.mark.parametrize("way", ["button", "escape"])
async def test_the_answer_can_be_stopped(talk: TalkPage, peer: TalkPeer, way: str) -> None:
    peer.script = LONG_ANSWER
    await talk.types("Tell me a story")
    await talk.is_in("speaking")
    if way == "button":
        await talk.page.click("#stop")
    else:
        await talk.page.keyboard.press("Escape")
    await talk.is_in("ready")

    await peer.last.comes_to_say("listen detect", "abort")
    assert await talk.page.locator("#stop").is_disabled()


async def test_nonsense_from_the_server_does_not_end_the_answer(talk: TalkPage, peer: TalkPeer) -> None:
    peer.script = Script(garbage=True)
    await talk.types("Hello")
    await talk.is_answered()

    assert await talk.bubbles("assistant") == [ANSWER]
    assert len(peer.connections) == 1


async def test_an_utterance_in_which_nothing_was_heard_says_so(talk: TalkPage, peer: TalkPeer) -> None:
    peer.script = Script(transcript="", sentences=())
    await talk.speaks()
    await talk.is_answered()

    assert await talk.bubbles("user") == ["Nothing was heard"]
    assert await talk.page.locator(".assistant").is_hidden()


async def test_only_the_last_fifty_turns_are_kept(talk: TalkPage) -> None:
    for number in range(53):
        await talk.types(f"Question {number}")
    await talk.is_answered()
    asked = await talk.bubbles("user")

    assert len(asked) == 50
    assert (asked[0], asked[-1]) == ("Question 3", "Question 52")

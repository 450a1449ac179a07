"""The talk page without a button: the microphone stays on, and the server finds the end of speech."""

from __future__ import annotations

import pytest

from tests.acceptance.talk_page import TalkPage
from tests.acceptance.talk_peer import Script, TalkPeer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def is_listening_again(talk: TalkPage) -> None:
    await talk.until("window.talk.lastTurn?.complete > 0 && window.talk.state === 'listening'")


async def test_speech_is_answered_without_a_button_and_the_microphone_stays_on(
    talk: TalkPage, peer: TalkPeer
) -> None:
    await talk.page.click("#hands-free")
    await is_listening_again(talk)

    assert await talk.page.get_attribute("#hands-free", "aria-pressed") == "true"
    assert peer.last.said() == ["listen start"]
    assert await talk.bubbles("user") == ["What time is it?"]
    sent = (await talk.status())["framesSent"]
    await talk.until(f"window.talk.framesSent >= {sent + 5}")


async def test_the_waterfall_counts_from_the_true_end_of_speech_with_the_silence_as_a_bar(
    talk: TalkPage,
) -> None:
    await talk.page.click("#hands-free")
    await is_listening_again(talk)

    times = (await talk.status())["lastTurn"]
    assert times["silence"] == 224
    assert 900 <= times["transcript"] < times["firstAudio"]
    shown = await talk.page.locator(".times dt").all_inner_texts()
    assert shown[:2] == ["silence", "transcript"]


async def test_speech_over_the_answer_ends_it_and_is_answered_anew(talk: TalkPage, peer: TalkPeer) -> None:
    peer.script = Script(sentences=(("It is a long story.", 200),))
    await talk.page.click("#hands-free")
    await talk.is_in("speaking")
    peer.script = Script()
    peer.hears_speech()
    await talk.until("window.talk.turns === 2")
    await is_listening_again(talk)

    assert await talk.bubbles("user") == ["What time is it?", "No, tomorrow."]
    assert (await talk.status())["lastTurn"]["silence"] == 704


async def test_an_answer_that_is_stopped_leaves_the_page_listening(talk: TalkPage, peer: TalkPeer) -> None:
    peer.script = Script(sentences=(("It is a long story.", 200),))
    await talk.page.click("#hands-free")
    await talk.is_in("speaking")
    await talk.page.keyboard.press("Escape")
    await talk.is_in("listening")

    assert peer.last.said() == ["listen start", "abort"]
    assert (await talk.status())["handsFree"]


async def test_a_text_is_answered_between_two_utterances(talk: TalkPage) -> None:
    await talk.page.click("#hands-free")
    await is_listening_again(talk)
    await talk.types("And in Rome?")
    await talk.until("window.talk.turns === 2")
    await is_listening_again(talk)
    assert await talk.bubbles("user") == ["What time is it?", "And in Rome?"]


async def test_a_second_press_ends_it_and_the_button_to_hold_works_again(
    talk: TalkPage, peer: TalkPeer
) -> None:
    await talk.page.click("#hands-free")
    await is_listening_again(talk)
    assert await talk.page.get_attribute("#talk", "aria-disabled") == "true"
    await talk.page.click("#hands-free")
    await talk.is_in("ready")
    await talk.speaks()
    await talk.is_answered()
    assert peer.last.said() == ["listen start", "abort", "listen start", "listen stop"]


async def test_a_connection_that_is_lost_ends_it(talk: TalkPage, peer: TalkPeer) -> None:
    await talk.page.click("#hands-free")
    await is_listening_again(talk)
    await peer.last.socket.close()
    await talk.is_in("ready")
    assert not (await talk.status())["handsFree"]

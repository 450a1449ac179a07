"""What its user does in the first minute: start it, speak, type, kill a part, speak again, stop it."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from dispatcher.audio.pcm import read_wav, resample
from dispatcher.dialogue.language import detect_language
from dispatcher.front.http.own_addresses import lan_address
from dispatcher.recordings import recording
from tests.acceptance.talk_page import launch, new_tab
from tests.acceptance.whole_system import WholeSystem

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

CHROMIUM_HZ = 48_000


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSystem]:
    """The whole system, up; it must leave no process behind."""
    running = WholeSystem(tmp_path_factory.mktemp("house"))
    try:
        running.takes_turns()
        yield running
    finally:
        left = running.stop()
    assert left == []


@pytest.fixture(scope="module")
def spoken_question(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped question as a microphone hears it, with a pause behind."""
    pcm, rate_hz = read_wav(recording("hello.wav"))
    path = tmp_path_factory.mktemp("spoken") / "question.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(CHROMIUM_HZ)
        file.writeframes(resample(pcm, rate_hz, CHROMIUM_HZ) + bytes(CHROMIUM_HZ))
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def speaking_browser(browser: Browser, spoken_question: Path) -> AsyncGenerator[Browser]:
    """Chromium whose microphone hears the question; `browser` has checked that there is one."""
    assert browser.is_connected()
    async with async_playwright() as playwright:
        running = await launch(playwright, spoken_question)
        yield running
        await running.close()


async def transcript_of(system: WholeSystem, wav: bytes, language: str) -> str:
    """Return what one of the ASR instances understands of a sound."""
    with wave.open(io.BytesIO(wav)) as file:
        assert file.getnframes() > 0, "nothing was heard"
    endpoint = system.endpoint("asr-1")
    form = aiohttp.FormData({"model": "whisper-1", "language": language})
    form.add_field("file", wav, filename="heard.wav", content_type="audio/wav")
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{endpoint}/v1/audio/transcriptions", data=form) as response,
    ):
        answer = await response.json()
    return str(answer["text"])


async def test_a_spoken_question_is_answered_from_the_first_moment_of_readiness(system: WholeSystem) -> None:
    printed = system.talk("hello.wav")

    assert "what time is it" in printed.lower()
    system.is_up()


async def test_a_recorded_english_question_is_answered_in_speech(system: WholeSystem) -> None:
    printed = system.talk("hello.wav")

    assert "what time is it" in printed.lower()
    assert "it is" in (await transcript_of(system, system.heard_wav(), "en")).lower()


async def test_a_typed_chinese_question_is_answered_in_chinese(system: WholeSystem) -> None:
    printed = system.talk("--text", "三十乘以四是多少？")

    answer = next(line for line in printed.splitlines() if "answer" in line)
    assert "120" in answer
    assert detect_language(answer.split("answer")[1]) == "zh"
    heard, rate_hz = read_wav(system.heard_wav())
    assert len(heard) / 2 / rate_hz > 1.0


@pytest.mark.parametrize("name", ["asr-1", "asr-2", "llm-1", "llm-2", "tts-1", "tts-2"])
async def test_after_an_instance_is_killed_the_next_turn_still_answers(
    system: WholeSystem, name: str
) -> None:
    before = system.pids()[name]
    system.kill(name)

    printed = system.talk("hello.wav")

    assert "what time is it" in printed.lower()
    assert "It is" in printed
    system.is_back(name, not_pid=before)


async def test_the_front_comes_back_by_itself_after_a_crash(system: WholeSystem) -> None:
    before = system.pids()["front"]
    system.kill("front")

    system.is_back("front", not_pid=before)

    assert "It is" in system.talk("--text", "What time is it?")


async def test_a_question_spoken_to_the_talk_page_is_answered_on_it(
    system: WholeSystem, speaking_browser: Browser
) -> None:
    async with new_tab(speaking_browser) as tab:
        await tab.opens(system.url)
        await tab.speaks(frames=50)
        times = await tab.is_answered()

        said, answered = await tab.bubbles("user"), await tab.bubbles("assistant")
        status = await tab.status()
    assert "time" in said[0].lower()
    assert answered[0]
    assert status["framesPlayed"] > 0
    # On a busy machine a filler may be spoken before the words of the question are known.
    assert 0 < times["transcript"] <= times["complete"]
    assert 0 < times["firstAudio"] <= times["complete"]


async def test_text_typed_on_the_talk_page_in_both_languages_is_answered(
    system: WholeSystem, speaking_browser: Browser
) -> None:
    async with new_tab(speaking_browser) as tab:
        await tab.opens(system.url)
        for text, expected in (("What is 12 times 7?", "84"), ("三十乘以四是多少？", "120")):
            await tab.types(text)
            await tab.is_answered()
            answers = await tab.bubbles("assistant")
            assert expected in answers[-1]


async def test_the_talk_page_tells_how_to_connect_a_device_and_how_all_parts_stand(
    system: WholeSystem, speaking_browser: Browser
) -> None:
    address = f"http://{lan_address()}:{system.front_port}/xiaozhi/ota/"
    async with new_tab(speaking_browser) as tab:
        await tab.opens(system.url)
        await tab.page.click("#device-open")
        await tab.page.locator("#device .qr").wait_for()
        shown = await tab.page.locator("#device code").inner_text()
        await tab.page.keyboard.press("Escape")
        await tab.page.click("#readiness-open")
        await tab.page.locator("#readiness dd").first.wait_for()
        verdict = await tab.page.locator("#readiness .verdict").inner_text()

    assert address in system.process.output()
    assert shown == address
    assert verdict.strip() == "Everything is ready"

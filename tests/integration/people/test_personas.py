"""Who the assistant is to a device: prompt, voice, language, wake words, greeting; and how a session ends."""

from __future__ import annotations

from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer

from dispatcher.console.app import create_console
from dispatcher.settings import Settings
from tests.integration.people.tapped_stack import TappedInstances, command
from tests.support.stack import Stack
from tests.support.waiting import soon


async def test_a_persona_chosen_at_run_time_holds_from_the_next_turn_on(
    tapped_stack: Stack, asked: TappedInstances
) -> None:
    name = "02:00:00:00:10:01"
    async with tapped_stack.front.device(name) as device:
        await device.types("what is two plus two?")
        assert asked.prompts() == ["You are a kettle."]
        code, out, err = await command(tapped_stack, "devices", "persona", name, "kettle")
        assert (code, out) == (0, f"{name}: persona kettle\n"), err
        await device.types("what is two plus two?")
        assert asked.voices() == {"nova"}
        await device.types("what is two plus two?")
        assert asked.prompts() == ["You are Kettle."]
        await command(tapped_stack, "devices", "persona", name, "shop")
        await device.types("what is two plus two?")
        assert asked.voices() == {"alloy"}
        await command(tapped_stack, "devices", "persona", name, "default")
        await device.types("what is two plus two?")
        assert asked.voices() == {"default"}


async def test_a_persona_edited_in_the_console_speaks_the_next_turn(
    tapped_stack: Stack, asked: TappedInstances, tmp_path: Path
) -> None:
    name = "02:00:00:00:10:03"
    await command(tapped_stack, "devices", "persona", name, "shop")
    settings = Settings(redis_url=tapped_stack.broker.url, data_dir=tmp_path, operator_password="open sesame")
    async with TestClient(TestServer(create_console(settings))) as console:
        async with console.post("/session", json={"name": "Ada", "password": "open sesame"}) as response:
            headers = {"X-CSRF-Token": (await response.json())["csrf"]}

        async def edit(**texts: str) -> None:
            async with console.get("/persona", params={"persona": "shop"}) as response:
                body = {"persona": "shop", "seen": (await response.json())["seen"], **texts}
            async with console.post("/persona", json=body, headers=headers) as response:
                assert response.status == 200, await response.text()

        async with tapped_stack.front.device(name) as device:

            async def speaks(prompt: str, voice: str) -> bool:
                asked.forget_asked()
                await device.types("what is two plus two?")
                voices = {
                    body["voice"] for tap in asked.taps[1:] for _, body in tap.requests() if "voice" in body
                }
                return asked.prompts() == [prompt] and voices == {voice}

            await edit(system_prompt="You are a grocer.", voice="echo")
            await soon(lambda: speaks("You are a grocer.", "echo"), what="the edited persona speaks")
            await edit()
            await soon(lambda: speaks("You are a kettle.", "alloy"), what="the YAML's persona speaks again")


async def test_an_unknown_persona_is_refused_with_those_that_there_are(tapped_stack: Stack) -> None:
    code, _, err = await command(tapped_stack, "devices", "persona", "02:00:00:00:10:02", "kettel")
    assert code == 1
    assert "no persona is called 'kettel'; there are kettle, shop" in err


async def test_a_wake_word_is_greeted_and_the_device_may_listen_at_once(
    tapped_stack: Stack, asked: TappedInstances
) -> None:
    name = "02:00:00:00:11:01"
    await command(tapped_stack, "devices", "persona", name, "kettle")
    async with tapped_stack.front.device(name) as device:
        # As the firmware does it: the microphone goes on right after the wake word was told.
        await device.begins_to_type("Hello, Kettle!")
        await device.listen("start", mode="auto")
        answer = await device.answer()
        assert answer.transcript == "Hello, Kettle!"
        assert answer.sentences == ("Yes, here I am.",)
        assert answer.packets
        assert asked.prompts() == []
        assert (await device.says()).transcript


async def test_a_wake_word_without_a_greeting_only_ends_what_is_spoken(tapped_stack: Stack) -> None:
    async with tapped_stack.front.device("02:00:00:00:11:02") as device:
        await device.begins_to_type("你好小智")
        await device.hears(type="tts", state="stop")
        assert not [each for each in device.of_this_turn if each.message.get("type") == "stt"]


async def test_a_goodbye_is_answered_and_then_the_session_ends(tapped_stack: Stack) -> None:
    async with tapped_stack.front.device("02:00:00:00:12:01") as device:
        answer = await device.types("okay, goodbye Xiaozhi!")
        assert answer.sentences
        assert answer.packets
        assert await device.is_closed() == 1000

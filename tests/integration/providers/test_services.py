"""A whole turn through services that speak dialects of their own, and what happens when one dies in it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support.device import Answer
from tests.support.instances import Instances
from tests.support.processes import BIN, own_environment
from tests.support.services import xfyun
from tests.support.services.fake_service import in_a_thread
from tests.support.services.funasr_process import FunAsrProcess
from tests.support.services.ollama import MODEL, REPLY, FakeOllama
from tests.support.stack import Stack

FRAME_S = 0.06
SENTENCE_S = 1.5
FRAMES_OF_A_TIMED_SENTENCE = 2


@dataclass
class ServiceStack:
    """A system whose first ear, LLM and voice speak their own dialects; the others are the timed ones."""

    stack: Stack
    ear: FunAsrProcess
    ollama: FakeOllama
    voice: xfyun.FakeXfyun

    async def answers(self, text: str) -> Answer:
        async with self.stack.front.device("speaker") as device:
            return await device.types(text)


@pytest.fixture(scope="module")
def running_services(
    tmp_path_factory: pytest.TempPathFactory, running_instances: Instances
) -> Iterator[ServiceStack]:
    folder = tmp_path_factory.mktemp("services")
    stack, ear = Stack(folder, running_instances), FunAsrProcess("funasr", folder)
    with in_a_thread(FakeOllama) as ollama, in_a_thread(xfyun.FakeXfyun) as voice:
        services = ServiceStack(stack, ear, ollama, voice)
        _put_first(services)
        try:
            ear.start()
            ear.wait_until_ready()
            stack.start()
            yield services
        finally:
            stack.stop()
            ear.stop()


def _put_first(services: ServiceStack) -> None:
    """Have the services used before the timed instances, and give every process the keys."""
    stack, ollama, voice = services.stack, services.ollama, services.voice
    path = Path(stack.environ["DISPATCHER_CONFIG"])
    content = yaml.safe_load(path.read_text("utf-8"))
    gateway = content["load_balancing"]["api_gateway"]
    keys = {"app_id": xfyun.APP_ID, "api_key_env": "XF_KEY", "api_secret_env": "XF_SECRET"}
    first: dict[str, dict[str, object]] = {
        "asr_services": {
            "name": "funasr",
            "endpoint": f"ws://127.0.0.1:{services.ear.port}",
            "provider": "funasr",
        },
        "llm_services": {"name": "ollama", "endpoint": ollama.url, "provider": "ollama", "model": MODEL},
        "tts_services": {
            "name": "xfyun",
            "endpoint": voice.url,
            "provider": "xfyun",
            "normalize_text": True,
            **keys,
        },
    }
    for service, instance in first.items():
        for other in gateway[service]["instances"]:
            other["priority"] = "low"
        gateway[service]["instances"].insert(0, {**instance, "priority": "high", "max_concurrent": 8})
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    for process in stack.processes:
        process.environ |= {"XF_KEY": xfyun.KEY, "XF_SECRET": xfyun.SECRET}


@pytest.fixture
def services(running_services: ServiceStack) -> Iterator[ServiceStack]:
    """The system, well; what it logged is printed, which pytest shows when the test fails."""
    running_services.ear.revive()
    for service in (running_services.ollama, running_services.voice):
        service.fault = ""
        service.asked.clear()
    with running_services.stack.healed():
        yield running_services


async def test_a_typed_text_is_answered_by_ollama_and_spoken_by_xfyun(services: ServiceStack) -> None:
    answer = await services.answers("几点了？")

    assert "".join(answer.sentences).replace(" ", "") == "Itisnoon.Thesunstandshigh.Haveagoodday."
    asked = services.ollama.asked[-1]["messages"][-1]
    assert asked["role"] == "user"
    assert asked["content"].startswith("几点了？\n[当前时间：")
    assert len(services.voice.asked) == len(answer.sentences)
    assert len(answer.packets) >= len(answer.sentences) * SENTENCE_S / FRAME_S


async def test_a_voice_that_asks_for_it_gets_numbers_as_words_and_the_screen_does_not(
    services: ServiceStack,
) -> None:
    services.ollama.reply = ("It is -5°C ", "at 3:05 today.")
    try:
        answer = await services.answers("多少度？")
    finally:
        services.ollama.reply = REPLY

    assert answer.sentences == ("It is -5°C at 3:05 today.",)
    (asked,) = services.voice.asked
    said = base64.b64decode(asked["data"]["text"]).decode()
    assert said == "It is minus five degrees Celsius at three oh five today."


async def talk(services: ServiceStack) -> str:
    """Let the device in software say hello.wav; return what `dispatcher talk` printed."""
    address = f"{services.stack.front.url}/xiaozhi/ota/"
    process = await asyncio.create_subprocess_exec(
        *(str(BIN / "dispatcher"), "talk", "hello.wav", "--ota", address, "--out", "/dev/null"),
        env=own_environment({}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def test_a_spoken_question_goes_through_funasr_ollama_and_xfyun(services: ServiceStack) -> None:
    told = await talk(services)

    turn = services.stack.front.events("turn finished")[-1]
    assert [turn[f"{service}_instance"] for service in ("asr", "llm", "tts")] == ["funasr", "ollama", "xfyun"]
    assert services.ear.heard()[-1]["ended"]
    assert "It is noon." in told


async def test_without_its_ear_a_spoken_question_is_heard_by_another_instance(services: ServiceStack) -> None:
    services.ear.kill()
    await talk(services)

    turn = services.stack.front.events("turn finished")[-1]
    assert turn["outcome"] == "answered"
    assert turn["asr_instance"] != "funasr"
    assert (turn["llm_instance"], turn["tts_instance"]) == ("ollama", "xfyun")


async def test_an_llm_that_dies_in_mid_reply_is_replaced_and_the_reply_goes_on(
    services: ServiceStack,
) -> None:
    services.ollama.fault = "dies"
    answer = await services.answers("几点了？")

    assert len(services.ollama.asked) == 1
    assert answer.sentences[0].startswith("It is noon.")
    assert len(answer.sentences) > 1
    substitute = services.stack.instances.asked()[-1]["messages"]
    assert [each["role"] for each in substitute[-2:]] == ["assistant", "user"]
    assert len(answer.packets) >= len(answer.sentences) * FRAMES_OF_A_TIMED_SENTENCE


@pytest.mark.parametrize("fault", ["dies", "quota", "truncated"])
async def test_a_voice_that_fails_is_replaced_and_every_sentence_is_heard(
    services: ServiceStack, fault: str
) -> None:
    services.voice.fault = fault
    answer = await services.answers("几点了？")

    assert services.voice.asked
    assert "".join(answer.sentences).replace(" ", "") == "Itisnoon.Thesunstandshigh.Haveagoodday."
    assert len(answer.packets) >= len(answer.sentences) * FRAMES_OF_A_TIMED_SENTENCE
    assert services.stack.front.events("turn finished")[-1]["outcome"] == "answered"

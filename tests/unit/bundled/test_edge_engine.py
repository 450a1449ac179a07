"""The Edge voices behind the OpenAI dialect: the real library against the service in software."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from edge_tts import communicate

from dispatcher.bundled import edge_engine
from dispatcher.bundled.edge_engine import EdgeEngine, EdgeOptions, load
from dispatcher.bundled.registry import prepare
from dispatcher.errors import ConfigError, InstanceUnreachable, StartError
from tests.support.encoded import likeness, speech
from tests.support.services.edge_tts import FakeEdge
from tests.unit.bundled.instances import Client, serving

SPEAK = "/v1/audio/speech"


@asynccontextmanager
async def edge(monkeypatch: pytest.MonkeyPatch, **options: str) -> AsyncIterator[tuple[Client, FakeEdge]]:
    async with FakeEdge.serving() as service, serving("tts", load(EdgeOptions(**options))) as client:
        monkeypatch.setattr(communicate, "WSS_URL", service.url)
        yield client, service


async def test_a_text_is_spoken_in_the_dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    async with edge(monkeypatch) as (client, service):
        answer = await client.post(
            SPEAK, json={"input": "**Hello** there 🙂", "response_format": "pcm", "speed": 1.5}
        )
        assert answer.status == 200
        assert likeness(await answer.read(), speech()) > 0.95
        assert ">Hello there" in service.asked[0]["ssml"]
        assert "rate='+50%'" in service.asked[0]["ssml"]


async def test_a_voice_of_the_service_may_be_named_and_any_other_name_is_no_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with edge(monkeypatch) as (client, service):
        for voice in ("en-GB-SoniaNeural", "alloy", {"id": "x"}):
            assert (await client.post(SPEAK, json={"input": "Hello", "voice": voice})).status == 200
    voices = ("en-GB, SoniaNeural", "en-US, AriaNeural", "en-US, AriaNeural")
    assert all(voice in each["ssml"] for voice, each in zip(voices, service.asked, strict=True))


async def test_the_voice_follows_the_script_and_then_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    async with edge(monkeypatch, zh="zh-CN-YunxiNeural") as (client, service):
        for text, language in (("你好 Bob", "en"), ("Hello", "auto"), ("42", "zh")):
            await (await client.post(SPEAK, json={"input": text, "language": language})).read()
    voices = ("zh-CN, YunxiNeural", "en-US, AriaNeural", "zh-CN, YunxiNeural")
    assert all(voice in each["ssml"] for voice, each in zip(voices, service.asked, strict=True))


@pytest.mark.parametrize(
    ("fault", "status", "says"),
    [
        ("403", 502, "did not speak"),
        ("503", 503, "are busy"),
        ("429", 503, "are busy"),
        ("html", 502, "did not speak"),
        ("empty", 502, "did not speak"),
        ("no-mp3", 502, "did not speak"),
    ],
)
async def test_a_failure_of_the_service_is_a_status_and_a_reason(
    monkeypatch: pytest.MonkeyPatch, fault: str, status: int, says: str
) -> None:
    async with edge(monkeypatch) as (client, service):
        service.fault = fault
        answer = await client.post(SPEAK, json={"input": "Hello"})
        assert answer.status == status
        assert says in (await answer.json())["error"]["message"]


def test_a_service_that_is_silent_is_told_from_one_that_refuses() -> None:
    late = InstanceUnreachable("edge", "silent for 15 s")
    late.__cause__ = TimeoutError()
    assert edge_engine._request_error(late).status == 504
    assert edge_engine._request_error(InstanceUnreachable("edge", "refused")).status == 502


async def test_what_cannot_be_spoken_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with edge(monkeypatch) as (client, service):
        assert (await client.post(SPEAK, json={"input": "🙂 …"})).status == 400
        assert service.asked == []


async def test_health_tells_whether_the_service_can_be_reached_and_asks_it_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with edge(monkeypatch) as (client, service):
        assert (await client.get("/health")).status == 200
        service.fault = "403"
        assert (await client.get("/health")).status == 200
        monkeypatch.setattr(edge_engine, "CHECK_INTERVAL_S", 0.0)
    engine = EdgeEngine(EdgeOptions())
    async with serving("tts", engine) as client:
        answer = await client.get("/health")
        health = await answer.json()
        assert answer.status == 503
        assert health["status"] == "failing"
        assert "nothing answers at" in health["reason"]


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_engine, "find_spec", lambda _: None)
    with pytest.raises(StartError, match="install the `edge` extra"):
        prepare("tts", "edge", {}).load()


@pytest.mark.parametrize("voice", ["", "nonsense", "alloy", "zh-CN-Xiaoxiao"])
def test_an_option_that_is_no_name_of_a_voice_stops_the_start(voice: str) -> None:
    with pytest.raises(ConfigError, match=f"--set zh={voice}: expected a voice of `edge-tts --list-voices`"):
        prepare("tts", "edge", {"zh": voice})


def test_voices_of_several_languages_or_of_a_region_are_names_too() -> None:
    prepare("tts", "edge", {"en": "en-US-AvaMultilingualNeural", "zh": "zh-CN-liaoning-XiaobeiNeural"})

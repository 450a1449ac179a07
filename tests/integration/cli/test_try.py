"""`dispatcher try` makes one real call, and says what came back, when, and whose fault a failure is."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from dispatcher.audio.pcm import read_wav
from dispatcher.cli import main
from tests.support.encoded import likeness, speech
from tests.support.instances import Instances
from tests.support.services import xfyun
from tests.support.services.fake_service import in_a_thread
from tests.support.services.ollama import FakeOllama


@pytest.fixture
def voice() -> Iterator[xfyun.FakeXfyun]:
    with in_a_thread(xfyun.FakeXfyun) as service:
        yield service


@pytest.fixture
def ollama() -> Iterator[FakeOllama]:
    with in_a_thread(FakeOllama) as service:
        yield service


@pytest.fixture
def config(tmp_path: Path, instances: Instances, voice: xfyun.FakeXfyun, ollama: FakeOllama) -> Path:
    """A file with one instance of each service, and one whose key nobody here has."""
    keys = {"app_id": xfyun.APP_ID, "api_key_env": "XF_KEY", "api_secret_env": "XF_SECRET"}
    services = {
        "asr_services": [{"name": "ears", "endpoint": f"http://127.0.0.1:{instances.ports('asr')[0]}"}],
        "llm_services": [
            {"name": "brain", "endpoint": ollama.url, "provider": "ollama", "model": "qwen2.5:3b"},
            {"name": "cloud", "endpoint": "https://cloud.invalid/v1", "api_key_env": "CLOUD_KEY"},
        ],
        "tts_services": [{"name": "mouth", "endpoint": voice.url, "provider": "xfyun", **keys}],
    }
    gateway = {name: {"instances": each} for name, each in services.items()}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"load_balancing": {"api_gateway": gateway}}), "utf-8")
    return path


def tries(config: Path, *arguments: str, secret: str = xfyun.SECRET) -> Result:
    environ = {"XF_KEY": xfyun.KEY, "XF_SECRET": secret}
    return CliRunner().invoke(main, ["try", *arguments, "--config", str(config)], env=environ)


def facts(result: Result) -> dict[str, str]:
    """Return what was told, by its first word."""
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines() if line.startswith("  ")]
    return {words[0]: words[1] for words in lines if len(words) == 2}


def test_a_voice_is_tried_and_its_speech_kept(config: Path, tmp_path: Path) -> None:
    result = tries(config, "tts", "mouth", "--save", str(tmp_path / "out.wav"))

    assert result.exit_code == 0, result.output
    told = facts(result)
    assert told["sound"].startswith("1.56 s, real-time factor ")
    assert told["connected"].endswith(" ms")
    assert told["health"].startswith("well, after ")
    pcm, rate_hz = read_wav((tmp_path / "out.wav").read_bytes())
    assert rate_hz == 24_000
    assert likeness(pcm, speech()) > 0.95


def test_an_llm_is_tried(config: Path, ollama: FakeOllama) -> None:
    result = tries(config, "llm", "brain", "--text", "几点了？")

    assert result.exit_code == 0, result.output
    assert facts(result)["said"] == "It is noon. The sun stands high. Have a good day."
    assert ollama.asked[0]["messages"][-1] == {"role": "user", "content": "几点了？"}


def test_what_an_instance_refuses_and_was_left_out_is_told(config: Path, ollama: FakeOllama) -> None:
    ollama.refuses = "think"
    result = tries(config, "llm", "brain")

    assert result.exit_code == 0, result.output
    assert facts(result)["without"].startswith("think, which it refuses: HTTP 400: ")


def test_an_asr_is_tried_with_the_recording_that_ships(config: Path) -> None:
    result = tries(config, "asr", "ears")

    assert result.exit_code == 0, result.output
    assert facts(result)["sound"].startswith("1.56 s")
    assert facts(result)["said"]


@pytest.mark.parametrize(("fault", "code", "advice"), [("quota", 4, "busy"), ("html", 5, "failed")])
def test_a_fault_has_its_words_and_its_exit_code(
    config: Path, voice: xfyun.FakeXfyun, fault: str, code: int, advice: str
) -> None:
    voice.fault = fault
    result = tries(config, "tts", "mouth")

    assert result.exit_code == code
    assert f"{advice}: " in result.stderr


def test_a_voice_that_says_nothing_has_failed(config: Path, voice: xfyun.FakeXfyun) -> None:
    voice.fault = "empty"
    result = tries(config, "tts", "mouth")

    assert (result.exit_code, facts(result)["error"]) == (5, "the speech is empty")


def test_a_wrong_secret_is_told_in_the_services_words(config: Path) -> None:
    result = tries(config, "tts", "mouth", secret="wrong")

    assert result.exit_code == 6
    assert "HMAC signature does not match" in facts(result)["error"]
    assert facts(result)["health"].startswith("not well: HTTP 401")
    assert "wrong" not in result.output


def test_nobody_there_is_out_of_reach(config: Path, ollama: FakeOllama) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    config.write_text(config.read_text("utf-8").replace(f":{ollama.port}", f":{port}"), "utf-8")

    assert tries(config, "llm", "brain").exit_code == 3


def test_a_key_that_is_not_set_stops_only_its_own_instance(config: Path) -> None:
    result = tries(config, "llm", "cloud")

    assert result.exit_code == 2
    assert "cloud.api_key_env: was 'CLOUD_KEY', which is not set" in result.stderr


def test_an_unknown_instance_is_answered_with_those_there_are(config: Path) -> None:
    result = tries(config, "llm", "brian")

    assert result.exit_code == 1
    assert "there are brain, cloud" in result.stderr

"""What a line of the Procfile runs."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dispatcher.errors import ConfigError
from dispatcher.supervisor.process_spec import ListenAddress, ProcessSpec, spec_of
from dispatcher.supervisor.procfile import Line


def part(command: str, environ: Mapping[str, str] | None = None) -> ProcessSpec:
    return spec_of(Line(name="part", command=command), environ or {})


def test_a_plain_command_is_started_without_a_shell() -> None:
    assert part("exec sleep '1 0'").argv == ("sleep", "1 0")


@pytest.mark.parametrize("command", ["a | b", "a; b", "a && b", "echo $HOME", "a > file", "a & b"])
def test_a_command_with_shell_characters_gets_a_shell(command: str) -> None:
    assert part(command).argv == ("/bin/sh", "-c", command)
    assert part(command).in_shell


def test_variables_in_front_of_a_command_are_set_for_it_alone() -> None:
    second_front = part("FRONT_PORT=8001 SERVER_ID=b exec dispatcher front", {"FRONT_PORT": "8000"})
    assert second_front.assignments == {"FRONT_PORT": "8001", "SERVER_ID": "b"}
    assert second_front.argv == ("dispatcher", "front")
    assert second_front.address == ListenAddress("0.0.0.0", 8001)


def test_a_worker_is_known_by_its_queues() -> None:
    worker = part("exec /opt/venv/bin/celery -A workers worker --queues=asr,control -c 2")
    assert (worker.role, worker.queues, worker.what) == (
        "worker",
        ("asr", "control"),
        "worker, queue asr, control",
    )


def test_beat_is_not_a_worker() -> None:
    assert part("exec celery -A workers beat").role == "beat"


def test_the_broker_listens_where_the_redis_url_points() -> None:
    assert part("dispatcher broker", {"BROKER_PORT": "6411"}).address == ListenAddress("127.0.0.1", 6411)
    assert part("dispatcher broker").address == ListenAddress("127.0.0.1", 6399)


@pytest.mark.parametrize("option", ["--port 8100", "--port=8100"])
def test_a_built_in_instance_listens_on_loopback_unless_told_otherwise(option: str) -> None:
    assert part(f"dispatcher instance asr {option}").address == ListenAddress("127.0.0.1", 8100)
    assert part(f"dispatcher instance asr {option} --host 10.0.0.5").address == ListenAddress(
        "10.0.0.5", 8100
    )


def test_the_console_listens_on_loopback_unless_told_otherwise() -> None:
    console = part("exec dispatcher console")
    assert (console.role, console.address) == ("console", ListenAddress("127.0.0.1", 8010))
    told = {"CONSOLE_HOST": "0.0.0.0", "CONSOLE_PORT": "8011"}
    assert part("exec dispatcher console", told).address == ListenAddress("0.0.0.0", 8011)


def test_flower_listens_on_loopback_unless_told_otherwise() -> None:
    assert part("exec dispatcher flower").address == ListenAddress("127.0.0.1", 5555)
    told = {"FLOWER_HOST": "0.0.0.0", "FLOWER_PORT": "5556"}
    assert part("exec dispatcher flower", told).address == ListenAddress("0.0.0.0", 5556)


def test_an_unknown_command_has_no_address() -> None:
    unknown = part("exec flower --port 5555")
    assert (unknown.role, unknown.address, unknown.what) == ("other", None, "flower")


def test_an_address_for_everybody_is_reached_over_loopback() -> None:
    assert ListenAddress("0.0.0.0", 8000).reachable == ListenAddress("127.0.0.1", 8000)
    assert ListenAddress("10.0.0.5", 8000).reachable == ListenAddress("10.0.0.5", 8000)


def test_an_open_quote_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="No closing quotation"):
        part("echo 'hello")


def test_an_instance_that_speaks_tells_whose_voice_it_is() -> None:
    command = "exec dispatcher instance tts --port 8300"
    assert part(command, {"TTS_VOICE": "espeak"}).what == "built-in tts, espeak-ng voice"
    assert part(f"TTS_VOICE=edge {command}").what == "built-in tts, Edge voice"
    assert part(f"{command} --engine timed").what == "built-in tts"
    with pytest.raises(ConfigError, match="TTS_VOICE=siri: expected baker, espeak, edge"):
        part(command, {"TTS_VOICE": "siri"})

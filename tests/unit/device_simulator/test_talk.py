"""`dispatcher talk` against a small front."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dispatcher.audio.pcm import read_wav
from dispatcher.audio.wav import wav_bytes
from dispatcher.cli import main
from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.supervisor.state_file import RunningProcess, StateFile
from tests.unit.device_simulator.small_front import SmallFront, serving

SHORT_WAV = wav_bytes(bytes(16_000 * 2 // 10), 16_000)


@pytest.fixture
def running_front() -> Iterator[SmallFront]:
    """A small front on a loop of its own: the command has one too."""
    front = SmallFront()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    started = threading.Event()

    async def serve() -> None:
        async with serving(front):
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(10)
    yield front
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path) -> Iterator[Path]:
    """Each test has a folder of its own to write to."""
    with chdir(tmp_path):
        yield tmp_path


def talk(*arguments: str, keyboard: str = "") -> Result:
    return CliRunner().invoke(main, ["talk", *arguments], input=keyboard)


def test_a_local_file_is_said_and_the_answer_shown_and_kept(
    running_front: SmallFront, own_folder: Path
) -> None:
    (own_folder / "short.wav").write_bytes(SHORT_WAV)

    result = talk("short.wav", "--url", running_front.url, "--format", "pcm", "--out", "answer.wav")

    assert result.exit_code == 0, result.output
    assert running_front.packets == [bytes(1920)] * 2
    for shown in (
        "what time is it",
        "happy",
        "It is noon.",
        "Bon appetit!",
        "first audio",
        "kept in answer.wav",
    ):
        assert shown in result.output
    assert read_wav((own_folder / "answer.wav").read_bytes())[1] == 24_000


def test_without_a_colour_terminal_the_output_is_plain(running_front: SmallFront, own_folder: Path) -> None:
    (own_folder / "hello.wav").write_bytes(SHORT_WAV)

    result = talk("hello.wav", "--url", running_front.url, "--format", "pcm")

    assert "\x1b" not in result.output


def test_a_local_file_wins_over_the_recording_of_that_name(
    running_front: SmallFront, own_folder: Path
) -> None:
    (own_folder / "hello.wav").write_bytes(SHORT_WAV)

    talk("--url", running_front.url, "--format", "pcm")

    assert len(running_front.packets) == 2


def test_text_is_typed_at_the_address_that_ota_gives(running_front: SmallFront) -> None:
    result = talk("--text", "几点了", "--ota", running_front.ota_url, "--format", "pcm", "--language", "zh")

    assert result.exit_code == 0, result.output
    assert "几点了" in result.output
    assert running_front.headers["Authorization"] == "Bearer secret"
    assert running_front.headers["Protocol-Version"] == "3"
    assert running_front.ota_headers["Accept-Language"] == "zh-CN"


def test_framing_from_the_command_line_wins_over_that_of_ota(running_front: SmallFront) -> None:
    talk("--text", "hi", "--ota", running_front.ota_url, "--format", "pcm", "--version", "2")

    assert running_front.headers["Protocol-Version"] == "2"


def test_no_front_is_one_line_and_exit_code_1(unused_tcp_port: int) -> None:
    result = talk("--ota", f"http://127.0.0.1:{unused_tcp_port}/xiaozhi/ota/")

    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert f"nothing answers at 127.0.0.1:{unused_tcp_port}; does" in result.output


@pytest.mark.parametrize(
    "text",
    [APOLOGIES["sorry", "en"], APOLOGIES["sorry", "zh"], APOLOGIES["cut", "en"], APOLOGIES["done", "zh"]],
)
def test_an_apology_is_exit_code_1_and_the_command_that_tells_why(
    running_front: SmallFront, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int, text: str
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{unused_tcp_port}/0")
    running_front.sentences = ("It is", text)

    result = talk("--text", "hi", "--url", running_front.url, "--format", "pcm")

    assert result.exit_code == 1
    assert "the turn ended with an apology" in result.stderr
    assert "dispatcher why" in result.stderr
    assert text in result.stdout


def test_the_front_that_runs_here_is_talked_to_wherever_it_listens(
    running_front: SmallFront, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(own_folder))
    with StateFile(own_folder) as upfile:
        upfile.write(
            [RunningProcess(name="web", pid=1, port=running_front.port, role="front", host="0.0.0.0")]
        )
        result = talk("--text", "hi", "--format", "pcm")

    assert result.exit_code == 0, result.output
    assert "It is noon." in result.output


def test_a_refused_device_is_told_about_its_token(running_front: SmallFront) -> None:
    running_front.status = 401

    result = talk("--text", "hi", "--url", running_front.url)

    assert result.exit_code == 1
    assert "token" in result.output


def test_a_name_that_neither_exists_nor_ships_lists_those_that_do() -> None:
    result = talk("nobody.wav")

    assert result.exit_code == 1
    assert "nobody.wav: no such file" in result.output
    assert "hello.wav" in result.output


def test_a_recording_and_a_text_together_are_refused() -> None:
    result = talk("hello.wav", "--text", "hi")

    assert result.exit_code == 2
    assert "one of RECORDING, --text and --mic" in result.output


def test_an_answer_that_cannot_be_written_is_one_line(running_front: SmallFront) -> None:
    result = talk("--text", "hi", "--url", running_front.url, "--format", "pcm", "--out", "no/such/heard.wav")

    assert result.exit_code == 1
    assert "cannot be written" in result.output.splitlines()[-1]


def test_an_answer_that_is_no_opus_is_one_line(running_front: SmallFront) -> None:
    result = talk("--text", "hi", "--url", running_front.url)

    assert result.exit_code == 1
    assert "Opus packet" in result.output.splitlines()[-1]


def test_a_microphone_is_heard_until_enter(
    running_front: SmallFront, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = own_folder / "arecord"
    recorder.write_text(f"#!{sys.executable}\nimport sys\nwhile True: sys.stdout.buffer.write(bytes(1920))\n")
    recorder.chmod(0o755)
    monkeypatch.setenv("PATH", str(own_folder))

    result = talk("--mic", "--url", running_front.url, "--format", "pcm", keyboard="\n")

    assert result.exit_code == 0, result.output
    assert "press Enter" in result.output
    assert running_front.packets[0] == bytes(1920)


def test_without_a_microphone_nothing_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "sounddevice", None)

    result = talk("--mic")

    assert result.exit_code == 1
    assert result.output.startswith("no microphone")

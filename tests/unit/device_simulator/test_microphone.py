"""Recording with what is on this machine; stand-ins play the recorders."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from dispatcher.device_simulator import DeviceOptions
from dispatcher.device_simulator.microphone import find_microphone, packets_until
from dispatcher.errors import StartError

PCM = DeviceOptions(audio_format="pcm", frame_ms=20)


class PortAudioError(Exception):
    """What the package sounddevice raises."""


class RawInputStream:
    """Hears one slice as soon as it is opened."""

    def __init__(self, *, callback: Callable[..., None], **format_of: Any) -> None:
        assert format_of == {"samplerate": 16_000, "channels": 1, "dtype": "int16", "blocksize": 320}
        self._callback = callback

    def __enter__(self) -> None:
        self._callback(b"\1\0" * 320, 320, None, None)

    def __exit__(self, *_: object) -> None:
        pass


def install_arecord(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a recorder on PATH that does what the script says."""
    recorder = folder / "arecord"
    recorder.write_text(f"#!{sys.executable}\n{script}\n")
    recorder.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


async def heard(count: int) -> list[bytes]:
    """Return the first packets that the microphone of this machine gives."""
    stop = asyncio.Event()
    packets = []
    async for packet in packets_until(stop, find_microphone(), PCM):
        packets.append(packet)
        if len(packets) == count:
            stop.set()
    return packets


async def test_arecord_is_asked_for_what_a_device_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """
import sys, time
assert sys.argv[1:] == "-q -t raw -f S16_LE -r 16000 -c 1".split()
sys.stdout.buffer.write(bytes(range(256)) * 5)
sys.stdout.flush()
time.sleep(60)
"""
    install_arecord(tmp_path, monkeypatch, script)

    packets = await heard(2)

    assert b"".join(packets) == bytes(range(256)) * 5


async def test_a_recorder_that_gives_up_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_arecord(tmp_path, monkeypatch, "raise SystemExit(3)")

    with pytest.raises(StartError, match="arecord ended with code 3"):
        await heard(1)


async def test_sounddevice_records_where_there_is_no_arecord(monkeypatch: pytest.MonkeyPatch) -> None:
    package = types.ModuleType("sounddevice")
    vars(package).update(RawInputStream=RawInputStream, PortAudioError=PortAudioError)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "sounddevice", package)

    assert await heard(1) == [b"\1\0" * 320]


def test_a_machine_without_a_microphone_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "sounddevice", None)

    with pytest.raises(StartError, match="no microphone"):
        find_microphone()


async def test_what_is_heard_until_enter_is_sent_whole() -> None:
    stop = asyncio.Event()

    async def microphone() -> AsyncGenerator[bytes]:
        yield bytes(640)
        stop.set()
        yield bytes(640)
        yield bytes(640)

    packets = [packet async for packet in packets_until(stop, microphone, PCM)]

    assert len(packets) == 2

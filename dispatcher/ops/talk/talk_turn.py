"""One turn of a simulated device with a running front, for `dispatcher talk`."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from dispatcher.audio.opus import OpusDecoder
from dispatcher.audio.wav import wav_bytes
from dispatcher.device_simulator import (
    Address,
    DeviceOptions,
    SimulatedDevice,
    TurnResult,
    Version,
    connect,
    discover,
    paced,
    packets_of,
)
from dispatcher.device_simulator.microphone import Microphone, packets_until
from dispatcher.device_simulator.options import FrameMs
from dispatcher.errors import AudioError
from dispatcher.ops.talk.apology_reason import apology_error, is_apology
from dispatcher.ops.talk.talk_view import TalkView
from dispatcher.recordings import names, recording
from dispatcher.supervisor.resolve_settings import console_turn_url, ota_url, resolve_settings

# click hands over text; these are the values that the device has.
_VERSIONS: Final[Mapping[str, Version]] = {"1": 1, "2": 2, "3": 3}
_FRAMES_MS: Final[Mapping[str, FrameMs]] = {"20": 20, "60": 60}


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkPlan:
    """A turn to hold: its words or sound, the front, and the file for the answer.

    Attributes:
        name: of the recording.
        wav: the recording; empty with a text or a microphone.
        text: typed instead; None to speak.
        microphone: spoken into instead; None without one.
        url: the WebSocket; empty asks OTA for it.
    """

    name: str
    wav: bytes
    text: str | None
    microphone: Microphone | None
    url: str
    token: str
    ota: str
    output: Path


def read_recording(name: str) -> bytes:
    """Return a local WAV file, or else the one of that name that ships.

    Raises:
        AudioError: there is neither, or the file cannot be read.
    """
    path = Path(name)
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        if name in names():
            return recording(name)
        raise AudioError(
            f"{name}: no such file; these ship and work anywhere: {', '.join(names())}"
        ) from error
    except OSError as error:
        raise AudioError(f"{name}: cannot be read: {(error.strerror or str(error)).lower()}") from error


def device_options(options: Mapping[str, Any]) -> DeviceOptions:
    """Return the simulated device that the options of `dispatcher talk` describe."""
    return DeviceOptions(
        device_id=options["device_id"],
        mode=options["mode"],
        version=None if options["version"] is None else _VERSIONS[options["version"]],
        frame_ms=_FRAMES_MS[options["frame_ms"]],
        audio_format=options["audio_format"],
        language=options["language"] or "",
    )


async def hold_turn(plan: TalkPlan, options: DeviceOptions, view: TalkView) -> None:
    """Connect, send the words or the sound, show the events and keep the answer.

    Raises:
        FrontError: no front, refused, no answer, or an apology in its place.
        AudioError: the recording, or the answer, is no sound.
    """
    began_at_s = time.time()
    async with aiohttp.ClientSession() as session:
        address = (
            Address(url=plan.url, token=plan.token)
            if plan.url
            else await discover(session, plan.ota, options)
        )
        view.say(f"{options.device_id} at {address.url}")
        async with connect(session, address, options, on_event=view.on_event) as device:
            result = await _speak(device, plan, options, view)
            rate_hz = device.hello.audio_params.sample_rate
    view.summarise(result)
    view.say(_keep(result, plan.output, options, rate_hz))
    settings = resolve_settings()
    is_here = not plan.url and plan.ota == ota_url(settings)
    if is_here and (link := console_turn_url(settings, options.device_id)):
        view.say(f"where its calls went: {link}")
    if is_apology(result):
        raise await apology_error(settings, options.device_id, result, since_s=began_at_s)


async def _speak(
    device: SimulatedDevice, plan: TalkPlan, options: DeviceOptions, view: TalkView
) -> TurnResult:
    if plan.text is not None:
        return await device.turn_text(plan.text)
    if plan.microphone is not None:
        return await _speak_live(device, plan.microphone, options, view)
    packets = packets_of(plan.wav, options)
    speech = paced(packets, options.frame_ms)
    return await device.turn(
        view.watch(speech, what=plan.name, frame_ms=options.frame_ms, frames=len(packets))
    )


async def _speak_live(
    device: SimulatedDevice, microphone: Microphone, options: DeviceOptions, view: TalkView
) -> TurnResult:
    ends_by = ", and press Enter when you are done" if options.mode == "manual" else ""
    view.say(f"Speak now{ends_by}.")
    speech = packets_until(_enter_pressed(), microphone, options)
    return await device.turn(
        view.watch(speech, what="into the microphone", frame_ms=options.frame_ms, frames=None)
    )


def _enter_pressed() -> asyncio.Event:
    """Return an event that is set by a line, or the end, of standard input.

    The thread is a daemon: it may wait for a line that never comes when the program ends.
    """
    loop = asyncio.get_running_loop()
    pressed = asyncio.Event()

    def wait_for_line() -> None:
        sys.stdin.readline()
        with suppress(RuntimeError):  # the turn was over first, and the loop is closed
            loop.call_soon_threadsafe(pressed.set)

    threading.Thread(target=wait_for_line, daemon=True).start()
    return pressed


def _keep(result: TurnResult, path: Path, options: DeviceOptions, rate_hz: int) -> str:
    """Write the answer to a WAV file; return the line that says so."""
    if not result.packets:
        return "heard nothing"
    if options.audio_format == "pcm":
        pcm = b"".join(result.packets)
    else:
        decoder = OpusDecoder(rate_hz)
        pcm = b"".join(decoder.decode(packet) for packet in result.packets)
    try:
        path.write_bytes(wav_bytes(pcm, rate_hz))
    except OSError as error:
        raise AudioError(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from error
    return f"heard {len(pcm) / 2 / rate_hz:.1f} s, kept in {path}"

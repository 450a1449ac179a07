"""`dispatcher talk`: a stock device in the terminal, which speaks a turn and writes down what it hears."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import click
from rich.console import Console

from dispatcher.audio.opus import OpusDecoder
from dispatcher.audio.pcm import wav_bytes
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
from dispatcher.device_simulator.microphone import Microphone, find_microphone, packets_until
from dispatcher.device_simulator.options import FrameMs
from dispatcher.errors import AudioError
from dispatcher.ops.talk.apology_reason import apology_error, is_apology
from dispatcher.ops.talk.talk_view import TalkView
from dispatcher.recordings import names, recording
from dispatcher.supervisor.resolve_settings import ota_url, resolve_settings

DEFAULT_RECORDING: Final = "hello.wav"
# click hands over what was typed; these are the values that the device knows.
VERSIONS: Final[dict[str, Version]] = {"1": 1, "2": 2, "3": 3}
FRAMES_MS: Final[dict[str, FrameMs]] = {"20": 20, "60": 60}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What to say, where, and where to keep the answer.

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
    heard: Path


@click.command("talk")
@click.argument("recording_name", metavar="[RECORDING]", required=False)
@click.option("--text", help="Type this instead of speaking.")
@click.option("--mic", is_flag=True, help="Speak into this machine's microphone.")
@click.option(
    "--ota", default="", help="Where the device learns its address.  [default: the front that runs here]"
)
@click.option("--url", default="", help="WebSocket address; leaves OTA out.")
@click.option("--token", default="", help="Token to use with --url.")
@click.option("--device-id", default="02:00:00:00:00:01", show_default=True, help="MAC address.")
@click.option(
    "--mode", type=click.Choice(["manual", "auto", "realtime"]), default="manual", show_default=True
)
@click.option("--version", type=click.Choice(["1", "2", "3"]), help="Framing; OTA's, or 1, when left out.")
@click.option("--frame-ms", type=click.Choice(["20", "60"]), default="60", show_default=True)
@click.option(
    "--format", "audio_format", type=click.Choice(["opus", "pcm"]), default="opus", show_default=True
)
@click.option("--language", type=click.Choice(["en", "zh"]), help="Language that the device is set to.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), default="heard.wav", show_default=True
)
def talk(recording_name: str | None, text: str | None, *, mic: bool, **options: Any) -> None:
    """Say a sound file or a sentence to a running front, as a stock device would.

    RECORDING is a WAV file, or the name of one that ships (hello.wav, also when nothing is given).
    """
    if sum([recording_name is not None, text is not None, mic]) > 1:
        raise click.UsageError("give one of RECORDING, --text and --mic")
    name = recording_name or DEFAULT_RECORDING
    call = Call(
        name=name,
        wav=b"" if text is not None or mic else read_recording(name),
        text=text,
        microphone=find_microphone() if mic else None,
        url=options["url"],
        token=options["token"],
        ota=options["ota"] or ota_url(resolve_settings()),
        heard=options["out"],
    )
    asyncio.run(hold(call, _device_options(options), TalkView(Console())))


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


async def hold(call: Call, options: DeviceOptions, view: TalkView) -> None:
    """Connect, say it, show what comes and keep what was heard.

    Raises:
        FrontError: no front, refused, no answer, or an apology in its place.
        AudioError: the recording, or the answer, is no sound.
    """
    began_at_s = time.time()
    async with aiohttp.ClientSession() as session:
        address = (
            Address(url=call.url, token=call.token)
            if call.url
            else await discover(session, call.ota, options)
        )
        view.say(f"{options.device_id} at {address.url}")
        async with connect(session, address, options, on_event=view.on_event) as device:
            result = await _speak(device, call, options, view)
            rate_hz = device.hello.audio_params.sample_rate
    view.summarise(result)
    view.say(_keep(result, call.heard, options, rate_hz))
    if is_apology(result):
        raise await apology_error(resolve_settings(), options.device_id, result, since_s=began_at_s)


async def _speak(device: SimulatedDevice, call: Call, options: DeviceOptions, view: TalkView) -> TurnResult:
    if call.text is not None:
        return await device.turn_text(call.text)
    if call.microphone is not None:
        return await _speak_live(device, call.microphone, options, view)
    packets = packets_of(call.wav, options)
    speech = paced(packets, options.frame_ms)
    return await device.turn(
        view.watch(speech, what=call.name, frame_ms=options.frame_ms, frames=len(packets))
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
    """Write what was heard to a WAV file; return the line that says so."""
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


def _device_options(options: dict[str, Any]) -> DeviceOptions:
    return DeviceOptions(
        device_id=options["device_id"],
        mode=options["mode"],
        version=None if options["version"] is None else VERSIONS[options["version"]],
        frame_ms=FRAMES_MS[options["frame_ms"]],
        audio_format=options["audio_format"],
        language=options["language"] or "",
    )

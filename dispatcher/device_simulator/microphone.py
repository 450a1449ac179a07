"""A real microphone: `arecord` of ALSA where it is on PATH, else the package sounddevice."""

from __future__ import annotations

import asyncio
import importlib
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any, Final, TypeAlias

from dispatcher.device_simulator.options import DeviceOptions
from dispatcher.device_simulator.speech import packet_cutter
from dispatcher.errors import StartError
from dispatcher.messages import UPLINK_RATE_HZ

# PCM at 16 kHz in slices of any size, until it is closed.
Microphone: TypeAlias = Callable[[], AsyncGenerator[bytes]]

MICROPHONE_SLICE_BYTES: Final = UPLINK_RATE_HZ * 20 // 1000 * 2
# Two seconds; a device that cannot send for so long has lost its turn anyway.
MAX_SLICES: Final = 100
_MISSING: Final = (
    "no microphone: neither arecord (alsa-utils) nor the package sounddevice is here; name a recording"
)


def find_microphone() -> Microphone:
    """Return what records on this machine.

    Raises:
        StartError: nothing here can record.
    """
    if shutil.which("arecord"):
        return record_with_arecord
    try:
        importlib.import_module("sounddevice")
    except (ImportError, OSError) as error:  # OSError: the package is here and PortAudio is not
        raise StartError(_MISSING) from error
    return record_with_sounddevice


async def packets_until(
    stop: asyncio.Event, microphone: Microphone, options: DeviceOptions
) -> AsyncGenerator[bytes]:
    """Yield what the microphone hears as the device's packets, until the event is set."""
    cutter = packet_cutter(options)
    async with aclosing(microphone()) as slices:
        async for pcm in slices:
            for packet in cutter.feed(pcm):
                yield packet
            if stop.is_set():
                break
    for packet in cutter.flush():
        yield packet


async def record_with_arecord() -> AsyncGenerator[bytes]:
    """Yield what the default ALSA device hears.

    Raises:
        StartError: arecord gave up; its own words are on stderr.
    """
    process = await asyncio.create_subprocess_exec(
        *("arecord", "-q", "-t", "raw", "-f", "S16_LE", "-r", str(UPLINK_RATE_HZ), "-c", "1"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        while process.stdout is not None and (pcm := await process.stdout.read(MICROPHONE_SLICE_BYTES)):
            yield pcm
        raise StartError(f"arecord ended with code {await process.wait()}; name a recording instead")
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        # What it still has to say is read too: an unread pipe would stay open.
        await process.communicate()


async def record_with_sounddevice() -> AsyncGenerator[bytes]:
    """Yield what the default device of PortAudio hears.

    Raises:
        StartError: there is no such device.
    """
    sounddevice: Any = importlib.import_module("sounddevice")
    loop = asyncio.get_running_loop()
    slices: asyncio.Queue[bytes] = asyncio.Queue(MAX_SLICES)

    def on_sound(data: Any, *_: Any) -> None:
        """Called in PortAudio's own thread; the data is gone when it returns."""
        loop.call_soon_threadsafe(_keep_newest, slices, bytes(data))

    try:
        stream = sounddevice.RawInputStream(
            samplerate=UPLINK_RATE_HZ,
            channels=1,
            dtype="int16",
            blocksize=MICROPHONE_SLICE_BYTES // 2,
            callback=on_sound,
        )
    except sounddevice.PortAudioError as error:
        raise StartError(f"no microphone: {error}") from error
    with stream:
        while True:
            yield await slices.get()


def _keep_newest(slices: asyncio.Queue[bytes], pcm: bytes) -> None:
    if slices.full():
        slices.get_nowait()
    slices.put_nowait(pcm)

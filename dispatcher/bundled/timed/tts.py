"""A TTS engine that hums: as long as the text would take to say, at exact times."""

from __future__ import annotations

import array
import math
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dispatcher.bundled.engines import SPEECH_RATE_HZ, Language
from dispatcher.bundled.options import at_least, read_options
from dispatcher.bundled.registry import Prepared
from dispatcher.bundled.timed.faults import Faults
from dispatcher.bundled.timed.options import read_faults
from dispatcher.bundled.timed.pace import Schedule, paced

_BYTES_PER_S: Final = 2 * SPEECH_RATE_HZ
# A voice of 120 Hz that swells five times a second, like syllables. Both fit whole times into the
# second that is repeated, so there is no click; encoders take as long for it as for speech.
_PITCH_HZ: Final = 120
_SYLLABLES_PER_S: Final = 5
_HARMONICS: Final = ((1, 0.5), (2, 0.35), (3, 0.25), (5, 0.12), (9, 0.05))
_LEVEL: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedTtsOptions:
    """What `--set` may change."""

    first_audio_s: float = at_least(0, default=0.15)
    s_per_audio_s: float = at_least(0, default=0.05)
    slice_s: float = at_least(0.01, default=0.2)
    audio_s_per_character: float = at_least(0.001, default=0.065)


def prepare(options: Mapping[str, str]) -> Prepared:
    """Return the engine for these options."""
    rest, faults = read_faults(options)
    chosen = read_options(TimedTtsOptions, rest)
    return Prepared(load=lambda: TimedTts(chosen, faults), faults=faults)


class TimedTts:
    """Hums by the clock."""

    model = "timed-tts"

    def __init__(self, options: TimedTtsOptions, faults: Faults) -> None:
        """Make the sound once; requests only cut slices from it."""
        self._slice_bytes = 2 * round(options.slice_s * SPEECH_RATE_HZ)
        second = hum()
        # One slice more than the second that repeats, so that a slice never has to be put together.
        repeats = 2 + self._slice_bytes // len(second)
        self._sound = second * repeats
        self._bytes_per_character = options.audio_s_per_character * _BYTES_PER_S
        self._schedule = Schedule(
            first_s=options.first_audio_s, interval_s=options.slice_s * options.s_per_audio_s
        )
        self._faults = faults

    def speak(
        self,
        text: str,
        *,
        language: Language,  # noqa: ARG002  it hums in every language
        speed: float,
    ) -> AsyncGenerator[bytes, None]:
        """Yield the hum, slice by slice."""
        samples = int(len(text) * self._bytes_per_character / speed / 2)
        return paced(self._slices(2 * samples), self._schedule, self._faults.current(), sign_of_life=b"")

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""

    def _slices(self, size: int) -> Iterator[bytes]:
        for at in range(0, size, self._slice_bytes):
            start = at % _BYTES_PER_S
            yield self._sound[start : start + min(self._slice_bytes, size - at)]


def hum() -> bytes:
    """Return one second of the sound as s16le, which may be repeated without a seam."""
    samples = array.array("h", (round(32767 * _sample(at / SPEECH_RATE_HZ)) for at in range(SPEECH_RATE_HZ)))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def _sample(time_s: float) -> float:
    swell = 0.6 - 0.4 * math.cos(math.tau * _SYLLABLES_PER_S * time_s)
    voice = sum(share * math.sin(math.tau * _PITCH_HZ * number * time_s) for number, share in _HARMONICS)
    return _LEVEL * swell * voice

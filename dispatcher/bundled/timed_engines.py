"""Engines whose times are known exactly and that cost next to nothing: for benchmarks and fault tests."""

from __future__ import annotations

import array
import asyncio
import math
import sys
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from dispatcher.audio.wav import parse_wav
from dispatcher.bundled.engine_options import at_least
from dispatcher.bundled.engines import SPEECH_RATE_HZ, Language, Message, Tool, Transcription

Piece = TypeVar("Piece", str, bytes)

# Three sentences, the first clause short: six seconds of audio from the timed TTS.
ANSWER: Final = (
    "Sure, here it is. The kettle is on, and tea will be ready soon. Please sit down for a moment."
)
_BYTES_PER_S: Final = 2 * SPEECH_RATE_HZ
# A voice of 120 Hz that swells five times a second, like syllables. Both fit whole times into the
# second that is repeated, so there is no click; encoders take as long for it as for speech.
_PITCH_HZ: Final = 120
_SYLLABLES_PER_S: Final = 5
_HARMONICS: Final = ((1, 0.5), (2, 0.35), (3, 0.25), (5, 0.12), (9, 0.05))
_LEVEL: Final = 0.25


async def paced(pieces: Iterable[Piece], *, first_s: float, interval_s: float) -> AsyncGenerator[Piece, None]:
    """Yield the first piece at `first_s`, then one every `interval_s`, counted so that no delay adds up.

    A consumer that holds a piece for long (a fault, back-pressure) moves the times of the pieces after it.
    """
    clock = asyncio.get_running_loop().time
    due_s = clock() + first_s
    for piece in pieces:
        if (wait_s := due_s - clock()) > 0:
            await asyncio.sleep(wait_s)
        yielded_s = clock()
        yield piece
        held_s = clock() - yielded_s
        due_s += interval_s + (held_s if held_s > interval_s / 2 else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedAsrOptions:
    """Delay and words of the timed ASR."""

    delay_s: float = at_least(0, default=0.2)
    text: str = "What time is it?"
    language: str = "en"


class TimedAsr:
    """An ASR engine with the same transcript every time, after an exact delay."""

    model = "timed-asr"

    def __init__(self, options: TimedAsrOptions) -> None:
        """Answer by these options."""
        self._text = options.text
        self._language: Literal["en", "zh"] = "zh" if options.language == "zh" else "en"
        self._delay_s = options.delay_s

    async def transcribe(self, wav: bytes, *, language: Language, prompt: str) -> Transcription:  # noqa: ARG002
        """Return the fixed words; of the file only the header is read.

        Raises:
            AudioError: the bytes are no WAV file.
        """
        header, body = parse_wav(wav)
        duration_s = len(body) / max(header.frame_bytes * header.sample_rate_hz, 1)
        await asyncio.sleep(self._delay_s)
        spoken = self._language if language == "auto" else language
        return Transcription(text=self._text, language=spoken, duration_s=duration_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedLlmOptions:
    """Times, size of tokens and text of the timed LLM."""

    first_token_s: float = at_least(0, default=0.3)
    tokens_per_s: float = at_least(0.1, default=40)
    token_characters: int = at_least(1, default=2)
    text: str = ANSWER


class TimedLlm:
    """An LLM engine with the same answer every time, token by token."""

    model = "timed-llm"

    def __init__(self, options: TimedLlmOptions) -> None:
        """Cut the answer into tokens once."""
        size = options.token_characters
        self._tokens = [options.text[at : at + size] for at in range(0, len(options.text), size)]
        self._first_s, self._interval_s = options.first_token_s, 1 / options.tokens_per_s

    def respond(
        self,
        messages: Sequence[Message],  # noqa: ARG002  the answer is always the same
        *,
        language: Language,  # noqa: ARG002
        tools: Sequence[Tool] = (),  # noqa: ARG002
    ) -> AsyncGenerator[str, None]:
        """Yield the fixed answer."""
        return paced(self._tokens, first_s=self._first_s, interval_s=self._interval_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedTtsOptions:
    """Times and lengths of the timed TTS."""

    first_audio_s: float = at_least(0, default=0.15)
    s_per_audio_s: float = at_least(0, default=0.05)
    slice_s: float = at_least(0.01, default=0.2)
    audio_s_per_character: float = at_least(0.001, default=0.065)


class TimedTts:
    """A TTS engine that hums for as long as the text would take to say."""

    model = "timed-tts"

    def __init__(self, options: TimedTtsOptions) -> None:
        """Make the sound once; requests only cut slices from it."""
        self._slice_bytes = 2 * round(options.slice_s * SPEECH_RATE_HZ)
        second = hum()
        # One slice more than the second that repeats, so that a slice never has to be put together.
        self._sound = second * (2 + self._slice_bytes // len(second))
        self._bytes_per_character = options.audio_s_per_character * _BYTES_PER_S
        self._first_s, self._interval_s = options.first_audio_s, options.slice_s * options.s_per_audio_s

    def speak(
        self,
        text: str,
        *,
        language: Language,  # noqa: ARG002  it hums in every language
        speed: float,
        voice: str = "",  # noqa: ARG002
    ) -> AsyncGenerator[bytes, None]:
        """Yield the hum, slice by slice."""
        samples = int(len(text) * self._bytes_per_character / speed / 2)
        return paced(self._slices(2 * samples), first_s=self._first_s, interval_s=self._interval_s)

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

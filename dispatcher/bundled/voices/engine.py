"""TTS engine: a text becomes pieces of speech, each by the voice that can read it."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dispatcher.audio.pcm import to_s16le
from dispatcher.bundled.engines import Language, SpokenLanguage
from dispatcher.bundled.request_errors import RequestError
from dispatcher.bundled.voices.chinese_voices import VOICE_VARIABLE, VoiceName, load_voice, voice_name
from dispatcher.bundled.voices.loudness import JOIN_S, LEAD_OUT_S, finished, gain_for
from dispatcher.bundled.voices.script_runs import ScriptRun, script_runs, sentences
from dispatcher.bundled.voices.voice import Voice
from dispatcher.errors import StartError
from dispatcher.speech_text.cleaner import clean
from dispatcher.speech_text.normalization import normalize

# The first audio waits for a whole piece, so a long sentence is spoken clause by clause.
LONGEST_PIECE: Final[Mapping[SpokenLanguage, int]] = {"en": 160, "zh": 40}
# A letter alone is its name: "A4" in a Chinese sentence is no article.
_LETTER_NAMES: Final = {"A": "Ay", "a": "ay"}


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicesOptions:
    """The voices that are loaded.

    Attributes:
        chinese: off leaves the Mandarin voice out; Chinese in a text is then not spoken.
        voice: who reads Chinese (baker, espeak, edge); the environment's TTS_VOICE when empty.
    """

    chinese: bool = True
    voice: str = ""

    def __post_init__(self) -> None:
        """Check the name of the voice.

        Raises:
            ConfigError: there is no such voice for Chinese.
        """
        if self.chinese:
            self.chinese_voice()

    def chinese_voice(self) -> VoiceName:
        """Return the voice that is to read Chinese."""
        return voice_name(self.voice or os.environ.get(VOICE_VARIABLE, ""))


class EnglishVoice:
    """hibari, an American voice with its own pronunciation; 16 ms of CPU for a short sentence."""

    name = "hibari"
    sample = "The quick brown fox jumps over the lazy dog, and nobody knows why."

    def __init__(self, hibari: Any) -> None:
        """Speak with a loaded model."""
        self._hibari = hibari

    def say(self, text: str, speed: float) -> Iterator[NDArray[np.float32]]:
        """Yield the speech in one piece; the seed makes the same text the same sound."""
        samples: NDArray[np.float32] = self._hibari(_LETTER_NAMES.get(text, text), speed=speed, seed=0)
        yield samples


def load(options: VoicesOptions) -> VoicesEngine:
    """Return the engine with its voices in memory.

    Raises:
        StartError: the English voice is not installed.
    """
    try:
        from hibari import Hibari  # noqa: PLC0415  half a second, and only this process needs it
    except ImportError as error:
        raise StartError(f"voices: {error}; install the `builtin` extra") from error
    voices: dict[SpokenLanguage, Voice] = {"en": EnglishVoice(Hibari(threads=1))}
    chinese = load_voice(options.chinese_voice()) if options.chinese else None
    if chinese is not None:
        voices["zh"] = chinese
    engine = VoicesEngine(voices)
    _trim_memory()
    return engine


def _trim_memory() -> None:
    """Give back what only the loading needed, 100 MB of it; where the C library cannot, nothing happens."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class VoicesEngine:
    """Synthesis in the voice of each script; one thread, free a second of speech after a barge-in."""

    def __init__(self, voices: Mapping[SpokenLanguage, Voice]) -> None:
        """Level the voices; the sentence that takes also warms them up."""
        self.model = "-".join(voice.name for voice in voices.values())
        self._voices = voices
        self._gains = {
            language: gain_for([*voice.say(voice.sample, 1.0)]) for language, voice in voices.items()
        }
        # Both voices are a hundred times faster than real time, so they need not work at once.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="voices")

    async def speak(
        self,
        text: str,
        *,
        language: Language,
        speed: float,
        voice: str = "",  # noqa: ARG002  each script has one
    ) -> AsyncGenerator[bytes, None]:
        """Yield the speech, a sentence or a clause at a time.

        Raises:
            RequestError: nothing in the text can be spoken.
        """
        pieces = self.pieces(text, language)
        if not pieces:
            raise RequestError.field("input", text, f"words or numbers in {self._readable()}")
        loop = asyncio.get_running_loop()
        has_audio = False
        for speech in self._spoken(pieces, speed):
            while (pcm := await loop.run_in_executor(self._thread, next, speech, None)) is not None:
                yield pcm
                has_audio = True
        if not has_audio:
            raise RequestError.field("input", text, f"words or numbers in {self._readable()}")

    def pieces(self, text: str, language: Language) -> list[ScriptRun]:
        """Return what is spoken, in the order and the sizes in which it is synthesized."""
        default: SpokenLanguage = "zh" if language == "zh" and "zh" in self._voices else "en"
        runs = script_runs(normalize(clean(text, language=default), default), default=default)
        return [
            piece
            for run in runs
            if run.language in self._voices
            for piece in sentences(run, longest=LONGEST_PIECE[run.language])
        ]

    def close(self) -> None:
        """Drop calls that wait for the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _spoken(self, pieces: Sequence[ScriptRun], speed: float) -> Iterator[Iterator[bytes]]:
        for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
            # Words of another script inside a phrase follow without a pause.
            is_joined = following and following.language != piece.language and piece.text[-1].isalnum()
            lead_out_s = JOIN_S if is_joined else LEAD_OUT_S
            samples = self._voices[piece.language].say(piece.text, speed)
            speech = finished(samples, self._gains[piece.language], lead_out_s=lead_out_s)
            yield (to_s16le(chunk) for chunk in speech)

    def _readable(self) -> str:
        return "Latin or Chinese script" if "zh" in self._voices else "Latin script"

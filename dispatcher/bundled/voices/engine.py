"""The TTS engine: from a text to pieces of speech, each by the voice that can read it."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from dispatcher.audio.pcm import to_s16le
from dispatcher.bundled.engines import Language, SpokenLanguage
from dispatcher.bundled.options import read_options
from dispatcher.bundled.refusals import RequestRefused
from dispatcher.bundled.registry import Prepared
from dispatcher.bundled.voices.choice import load_chinese
from dispatcher.bundled.voices.english import EnglishVoice
from dispatcher.bundled.voices.loudness import JOIN_S, LEAD_OUT_S, finished, gain_for
from dispatcher.bundled.voices.script_runs import Run, script_runs, sentences
from dispatcher.bundled.voices.voice import Voice
from dispatcher.bundled.voices.voice_names import VOICE_VARIABLE, voice_name
from dispatcher.speech_text import clean, normalize

# The first audio waits for a whole piece, so a long sentence is spoken clause by clause.
LONGEST_PIECE: Final[Mapping[SpokenLanguage, int]] = {"en": 160, "zh": 40}


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicesOptions:
    """What `--set` may change.

    Attributes:
        chinese: off leaves the Mandarin voice out; Chinese in a text is then not spoken.
        voice: who reads Chinese (baker, espeak, edge); the environment's TTS_VOICE when empty.
    """

    chinese: bool = True
    voice: str = ""


def prepare(options: Mapping[str, str]) -> Prepared:
    """Return the engine for these options; loading reads both voices and lets each say a sentence."""
    chosen = read_options(VoicesOptions, options)
    voice_name(_wanted(chosen))
    return Prepared(load=lambda: load(chosen))


def load(options: VoicesOptions) -> VoicesEngine:
    """Return the engine with its voices in memory.

    Raises:
        StartError: the English voice is not installed.
        ConfigError: there is no such voice for Chinese.
    """
    voices: dict[SpokenLanguage, Voice] = {"en": EnglishVoice()}
    chinese = load_chinese(voice_name(_wanted(options))) if options.chinese else None
    if chinese is not None:
        voices["zh"] = chinese
    engine = VoicesEngine(voices)
    _trim_memory()
    return engine


def _trim_memory() -> None:
    """Give back what only the loading needed, 100 MB of it; where the C library cannot, nothing happens."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _wanted(options: VoicesOptions) -> str:
    return options.voice or os.environ.get(VOICE_VARIABLE, "")


class VoicesEngine:
    """Speaks in the voice of each script; one thread, which a barge-in leaves within a second of speech."""

    def __init__(self, voices: Mapping[SpokenLanguage, Voice]) -> None:
        """Level the voices; the sentence that takes also warms them up."""
        self.model = "-".join(voice.name for voice in voices.values())
        self._voices = voices
        self._gains = {
            language: gain_for([*voice.say(voice.sample, 1.0)]) for language, voice in voices.items()
        }
        # Both voices work a hundred times faster than they are heard, so they need not work at once.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="voices")

    async def speak(self, text: str, *, language: Language, speed: float) -> AsyncGenerator[bytes, None]:
        """Yield the speech, a sentence or a clause at a time.

        Raises:
            RequestRefused: nothing in the text can be spoken.
        """
        pieces = self.pieces(text, language)
        if not pieces:
            raise RequestRefused.field("input", text, f"words or numbers in {self._readable()}")
        loop = asyncio.get_running_loop()
        is_heard = False
        for speech in self._spoken(pieces, speed):
            while (pcm := await loop.run_in_executor(self._thread, next, speech, None)) is not None:
                yield pcm
                is_heard = True
        if not is_heard:
            raise RequestRefused.field("input", text, f"words or numbers in {self._readable()}")

    def pieces(self, text: str, language: Language) -> list[Run]:
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
        """Drop what waits for the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _spoken(self, pieces: Sequence[Run], speed: float) -> Iterator[Iterator[bytes]]:
        for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
            # Words of another script inside a phrase follow without a pause.
            is_joined = following and following.language != piece.language and piece.text[-1].isalnum()
            lead_out_s = JOIN_S if is_joined else LEAD_OUT_S
            samples = self._voices[piece.language].say(piece.text, speed)
            speech = finished(samples, self._gains[piece.language], lead_out_s=lead_out_s)
            yield (to_s16le(chunk) for chunk in speech)

    def _readable(self) -> str:
        return "Latin or Chinese script" if "zh" in self._voices else "Latin script"

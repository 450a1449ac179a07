"""The TTS engine: from a text to pieces of speech, each by the voice that can read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from dispatcher.audio.pcm import to_s16le
from dispatcher.builtin.engines import Language, SpokenLanguage
from dispatcher.builtin.options import read_options
from dispatcher.builtin.refusals import RequestRefused
from dispatcher.builtin.registry import Prepared
from dispatcher.builtin.voices.chinese import ChineseVoice
from dispatcher.builtin.voices.english import EnglishVoice
from dispatcher.builtin.voices.loudness import finished, gain_for
from dispatcher.builtin.voices.script_runs import Run, script_runs, sentences
from dispatcher.builtin.voices.voice import Voice
from dispatcher.speech_text import clean, normalize

# The first audio waits for a whole piece, so a long sentence is spoken clause by clause.
LONGEST_PIECE: Final[Mapping[SpokenLanguage, int]] = {"en": 160, "zh": 40}


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicesOptions:
    """What `--set` may change.

    Attributes:
        chinese: off leaves espeak-ng out; Chinese in a text is then not spoken.
    """

    chinese: bool = True


def prepare(options: Mapping[str, str]) -> Prepared:
    """Return the engine for these options; loading reads both voices and lets each say a sentence."""
    chosen = read_options(VoicesOptions, options)
    return Prepared(load=lambda: load(chosen))


def load(options: VoicesOptions) -> VoicesEngine:
    """Return the engine with its voices in memory.

    Raises:
        StartError: a voice is not installed.
    """
    voices: dict[SpokenLanguage, Voice] = {"en": EnglishVoice()}
    if options.chinese:
        voices["zh"] = ChineseVoice()
    return VoicesEngine(voices)


class VoicesEngine:
    """Speaks in the voice of each script; one thread, which a barge-in leaves after the piece at hand."""

    model = "hibari-espeak"

    def __init__(self, voices: Mapping[SpokenLanguage, Voice]) -> None:
        """Level the voices; the sentence that takes also warms them up."""
        self._voices = voices
        self._gains = {language: gain_for(voice.say(voice.sample, 1.0)) for language, voice in voices.items()}
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
        for piece in pieces:
            pcm = await loop.run_in_executor(self._thread, self._say, piece, speed)
            if pcm:
                yield pcm

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

    def _say(self, piece: Run, speed: float) -> bytes:
        samples = self._voices[piece.language].say(piece.text, speed)
        return to_s16le(finished(samples, self._gains[piece.language]))

    def _readable(self) -> str:
        return "Latin or Chinese script" if "zh" in self._voices else "Latin script"

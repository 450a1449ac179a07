"""ASR engine: SenseVoice on the CPU, by sherpa-onnx: Chinese, Cantonese and English, with punctuation."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dispatcher.bundled.asr_model import chosen_folder
from dispatcher.bundled.engine_options import at_least
from dispatcher.bundled.engines import Language, SpokenLanguage
from dispatcher.bundled.sensevoice.model_export import SenseVoiceExport, find_export
from dispatcher.bundled.transcription_pool import MODEL_RATE_HZ, DecodedSpeech, TranscriptionPool
from dispatcher.errors import ConfigError, StartError
from dispatcher.speech_text.cjk import has_han

# A text begins with four tags: language, emotion, event, punctuation. sherpa-onnx takes these off, but no
# further ones, such as those of laughter between words.
_RESULT_TAG: Final = re.compile(r"<\|[^|<>]*\|>")
LANGUAGES: Final = ("auto", "zh", "yue", "en", "ja", "ko")
_SPOKEN: Final[Mapping[str, SpokenLanguage]] = {"<|zh|>": "zh", "<|yue|>": "zh", "<|en|>": "en"}
_NO_SPEECH: Final = "<|nospeech|>"
_PACKAGES: Final = {"sherpa_onnx": "sherpa-onnx", "faster_whisper": "faster-whisper"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SenseVoiceOptions:
    """Threads and slots of the engine, and the folders of its weights.

    Attributes:
        threads: cores that one utterance may use.
        slots: utterances at once; 0 is one for each core.
        queue: utterances that may wait for a slot; one more is answered 503.
        language: auto, zh, yue, en, ja or ko: what it listens for; a request cannot say it.
        model_dir: folder with an export of SenseVoice; that of the environment's ASR_MODEL when empty.
        data_dir: where fetched weights are kept; the environment's DATA_DIR when empty.
    """

    threads: int = at_least(1, default=1)
    slots: int = at_least(0, default=0)
    queue: int = at_least(0, default=16)
    language: str = "auto"
    model_dir: str = ""
    data_dir: str = ""

    def __post_init__(self) -> None:
        """Check the language.

        Raises:
            ConfigError: the model knows no such language.
        """
        if self.language not in LANGUAGES:
            raise ConfigError([f"--set language={self.language}: expected {', '.join(LANGUAGES)}"])


def load(options: SenseVoiceOptions) -> TranscriptionPool:
    """Return the engine with its model in memory.

    Raises:
        StartError: a package or a file is missing, or a file is not what it should be.
    """
    missing = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise StartError(
            f"sensevoice: {' and '.join(missing)} not installed; `ASR_MODEL=sensevoice make run` does it, "
            "and `ASR_MODEL=sensevoice scripts/environment.sh run` without a start; "
            "elsewhere the extra `sensevoice`"
        )
    named_dir = options.model_dir or chosen_folder(os.environ)
    export = find_export(
        data_dir=Path(options.data_dir or os.environ.get("DATA_DIR") or "var"),
        named_dir=Path(named_dir) if named_dir else None,
    )
    decoder = SenseVoiceDecoder(export, threads=options.threads, language=options.language)
    slots = options.slots or os.cpu_count() or 1
    return TranscriptionPool(decoder, model="sensevoice-small", slots=slots, queue=options.queue)


class SenseVoiceDecoder:
    """Turns pieces of speech into words; one model in memory serves all threads."""

    def __init__(self, export: SenseVoiceExport, *, threads: int, language: str = "auto") -> None:
        """Load an export that was checked: the library ends the process where a part of it is missing.

        Raises:
            StartError: the library refuses the model.
        """
        from sherpa_onnx import OfflineRecognizer  # noqa: PLC0415  it belongs to the loading

        try:
            self._recognizer = OfflineRecognizer.from_sense_voice(
                model=str(export.model),
                tokens=str(export.tokens),
                num_threads=threads,
                language=language,
                use_itn=True,
            )
        except RuntimeError as error:
            raise StartError(f"sensevoice: {export.model} cannot be loaded: {error}") from error

    def decode(self, samples: NDArray[np.float32], language: Language, prompt: str) -> DecodedSpeech:  # noqa: ARG002
        """Return what is said in a piece of speech; SenseVoice takes no prompt."""
        stream = self._recognizer.create_stream()
        stream.accept_waveform(MODEL_RATE_HZ, samples)
        self._recognizer.decode_stream(stream)
        return decoded_speech(stream.result.text, stream.result.lang, language)


def decoded_speech(written: str, tag: str, language: Language) -> DecodedSpeech:
    """Return a result without its tags.

    Args:
        written: the text of the result.
        tag: its language, such as `<|zh|>`; of Japanese and Korean the script decides.
        language: the language that was asked for, which decides where there is no tag.
    """
    text = "" if tag == _NO_SPEECH else _RESULT_TAG.sub("", written).strip()
    by_script: SpokenLanguage = "zh" if has_han(text) else "en"
    return DecodedSpeech(
        text=text, language=_SPOKEN.get(tag) or (by_script if language == "auto" else language)
    )

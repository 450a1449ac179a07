"""Decoding of samples to words with no more of Whisper's window than there is sound.

Whisper pads every sound to 30 s and pays for all of it: 1.3 s of CPU whatever was said. Its encoder
takes shorter windows too. With 5 s behind the speech, and 10 s in all, it is as exact for a third of
the CPU: 9 of 96 words wrong on recordings of people (8 with the full window), 1 of 82 on spoken
commands (3 with the full window). Shorter windows make it repeat itself. When it does so all the same,
or is unsure, the full window is tried.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

from dispatcher.bundled.engines import Language, SpokenLanguage
from dispatcher.bundled.transcription_pool import MODEL_RATE_HZ, DecodedSpeech

FULL_FRAMES: Final = 3000
SHORTEST_FRAMES: Final = 1000
MARGIN_FRAMES: Final = 500
# Speech that begins and ends with the sound loses words; half of those of a machine's voice.
SILENCE_BEFORE: Final = int(0.3 * MODEL_RATE_HZ)
SILENCE_AFTER: Final = int(0.6 * MODEL_RATE_HZ)

BEAM_SIZE: Final = 5
# No speech has more: ten tokens a second, and some for a short word.
TOKENS_PER_S: Final = 10
EXTRA_TOKENS: Final = 12
# Whisper's own border between a text and a text that repeats itself, as its length over its zlib length.
REPEATING_RATIO: Final = 2.4
# Whisper's own border of a text that it is not sure of: the mean logarithm of its tokens' probabilities.
UNSURE_SCORE: Final = -1.0
NO_SPEECH_RATIO: Final = 0.6

# Without it the characters may come out traditional, and without punctuation.
CHINESE_PROMPT: Final = "以下是普通话的句子。"
MAX_PROMPT_TOKENS: Final = 100


class TokenDecoder:
    """Turns pieces of speech into words; safe to use from several threads."""

    def __init__(self, model: WhisperModel) -> None:
        """Use a loaded multilingual model."""
        self._model = model
        self._tokenizers: dict[SpokenLanguage, Tokenizer] = {
            "en": Tokenizer(model.hf_tokenizer, multilingual=True, task="transcribe", language="en"),
            "zh": Tokenizer(model.hf_tokenizer, multilingual=True, task="transcribe", language="zh"),
        }

    def decode(self, samples: NDArray[np.float32], language: Language, prompt: str) -> DecodedSpeech:
        """Return what is said in at most 30 s of speech at `MODEL_RATE_HZ`."""
        padded = np.pad(samples, (SILENCE_BEFORE, SILENCE_AFTER))
        features = self._model.feature_extractor(padded)
        limit = EXTRA_TOKENS + int(TOKENS_PER_S * len(samples) / MODEL_RATE_HZ)
        encoded = self._encode(features, window_frames(features.shape[-1]))
        spoken = self._detect(encoded) if language == "auto" else language
        result = self._generate(encoded, spoken, prompt, limit)
        if self._is_doubtful(result, spoken, limit):
            again = self._generate(self._encode(features, FULL_FRAMES), spoken, prompt, limit)
            result = max(result, again, key=lambda each: self._rank(each, spoken, limit))
        return DecodedSpeech(text=self._text(result, spoken), language=spoken)

    def _encode(self, features: NDArray[np.float32], frames: int) -> ctranslate2.StorageView:
        fitting = features[:, :frames]
        padded = np.pad(fitting, ((0, 0), (0, frames - fitting.shape[-1])))
        return self._model.model.encode(ctranslate2.StorageView.from_array(padded[np.newaxis]))

    def _detect(self, encoded: ctranslate2.StorageView) -> SpokenLanguage:
        """Return the likelier of the two languages; the others are no choice here."""
        likely = dict(self._model.model.detect_language(encoded)[0])
        return "zh" if likely["<|zh|>"] > likely["<|en|>"] else "en"

    def _generate(
        self, encoded: ctranslate2.StorageView, language: SpokenLanguage, prompt: str, limit: int
    ) -> Any:
        tokens = self._prompt(language, prompt)
        (result,) = self._model.model.generate(
            encoded,
            [tokens],
            beam_size=BEAM_SIZE,
            max_length=len(tokens) + limit,
            return_scores=True,
            return_no_speech_prob=True,
        )
        return result

    def _prompt(self, language: SpokenLanguage, prompt: str) -> list[int]:
        tokenizer = self._tokenizers[language]
        hint = (CHINESE_PROMPT if language == "zh" else "") + prompt
        before = tokenizer.encode(" " + hint.strip())[-MAX_PROMPT_TOKENS:] if hint else []
        start = [tokenizer.sot, tokenizer.language, tokenizer.transcribe, tokenizer.no_timestamps]
        return [tokenizer.sot_prev, *before, *start] if before else start

    def _is_doubtful(self, result: Any, language: SpokenLanguage, limit: int) -> bool:
        return bool(result.scores[0] < UNSURE_SCORE) or self._is_nonsense(result, language, limit)

    def _rank(self, result: Any, language: SpokenLanguage, limit: int) -> tuple[bool, float]:
        return not self._is_nonsense(result, language, limit), result.scores[0]

    def _is_nonsense(self, result: Any, language: SpokenLanguage, limit: int) -> bool:
        """Return whether the model repeats itself, or says the prompt again."""
        tokens = result.sequences_ids[0]
        text = self._tokenizers[language].decode(tokens).strip()
        return len(tokens) >= limit or _is_prompt(text) or _repetition(text) > REPEATING_RATIO

    def _text(self, result: Any, language: SpokenLanguage) -> str:
        if result.no_speech_prob > NO_SPEECH_RATIO and result.scores[0] < UNSURE_SCORE:
            return ""
        text: str = self._tokenizers[language].decode(result.sequences_ids[0]).strip()
        # Without speech, the model says the prompt again.
        return "" if _is_prompt(text) else text


def _is_prompt(text: str) -> bool:
    return text.rstrip("。") == CHINESE_PROMPT.rstrip("。")


def _repetition(text: str) -> float:
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))


def window_frames(speech_frames: int) -> int:
    """Return how much of the window to use; a frame is 10 ms."""
    return min(FULL_FRAMES, max(SHORTEST_FRAMES, speech_frames + MARGIN_FRAMES))

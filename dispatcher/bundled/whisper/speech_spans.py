"""Spans of speech in a sound: Whisper invents words for silence, so it never gets any."""

from __future__ import annotations

from typing import Final

import numpy as np
from faster_whisper.vad import VadOptions, get_speech_timestamps
from numpy.typing import NDArray

from dispatcher.bundled.transcription_pool import MODEL_RATE_HZ

# The model takes 30 s at once; a piece is shorter, so that the last word is whole.
PIECE_S: Final = 28.0
_VAD: Final = VadOptions(
    # A click is shorter than any word.
    min_speech_duration_ms=100,
    min_silence_duration_ms=400,
    max_speech_duration_s=PIECE_S,
    speech_pad_ms=200,
)


def speech_pieces(samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return the stretches with speech, each at most `PIECE_S` long, pauses inside them kept.

    Args:
        samples: float32, shape (frames,), -1..1, at `MODEL_RATE_HZ`.
    """
    spans = [(int(span["start"]), int(span["end"])) for span in get_speech_timestamps(samples, _VAD)]
    return [samples[start:end] for start, end in joined_spans(spans, int(PIECE_S * MODEL_RATE_HZ))]


def joined_spans(spans: list[tuple[int, int]], longest: int) -> list[tuple[int, int]]:
    """Return neighbouring spans made one, as long as none is longer than `longest`."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and end - joined[-1][0] <= longest:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined

"""ASR engine: slots, threads, and the way of an utterance through VAD and decoder."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dispatcher.audio.pcm import read_wav, resample_samples, to_float32
from dispatcher.bundled.engine_options import at_least
from dispatcher.bundled.engines import Language, Transcription
from dispatcher.bundled.request_errors import RequestError
from dispatcher.bundled.weights import find_weights
from dispatcher.errors import AudioError, StartError

MODEL_RATE_HZ: Final = 16_000
_LOWEST_RATE_HZ: Final = 4_000
_HIGHEST_RATE_HZ: Final = 192_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WhisperOptions:
    """Threads and slots of the engine, and the folders of its weights.

    Attributes:
        threads: cores that one utterance may use; two cost a sixth more CPU and help on an idle machine only.
        slots: utterances at once; 0 is one for each core.
        queue: utterances that may wait for a slot; one more is answered 503.
        whisper_dir: folder with the weights; the environment's WHISPER_DIR when empty.
        data_dir: where joined weights are kept; the environment's DATA_DIR when empty.
    """

    threads: int = at_least(1, default=1)
    slots: int = at_least(0, default=0)
    queue: int = at_least(0, default=16)
    whisper_dir: str = ""
    data_dir: str = ""


def load(options: WhisperOptions) -> WhisperEngine:
    """Return the engine with its model in memory.

    Raises:
        StartError: there are no weights, one has another sha256 than expected, or the package is missing.
    """
    if find_spec("faster_whisper") is None:
        raise StartError("whisper: faster-whisper is not installed; install the `builtin` extra")
    named_dir = options.whisper_dir or os.environ.get("WHISPER_DIR", "")
    weights = find_weights(
        data_dir=Path(options.data_dir or os.environ.get("DATA_DIR") or "var"),
        named_dir=Path(named_dir) if named_dir else None,
    )
    return WhisperEngine(weights, options)


class WhisperEngine:
    """Transcription with as many slots as there are cores, each with a thread of its own."""

    model = "whisper-base"

    def __init__(self, weights: Path, options: WhisperOptions) -> None:
        """Load the model from a folder with checked weights."""
        # A second of imports, which belongs to the loading.
        from faster_whisper import WhisperModel  # noqa: PLC0415

        from dispatcher.bundled.whisper.decoder import Decoder  # noqa: PLC0415
        from dispatcher.bundled.whisper.speech_spans import speech_pieces  # noqa: PLC0415

        slots = options.slots or os.cpu_count() or 1
        self._find_speech = speech_pieces
        self._decoder = Decoder(
            WhisperModel(
                str(weights),
                device="cpu",
                compute_type="int8",
                cpu_threads=options.threads,
                num_workers=slots,
                local_files_only=True,
            )
        )
        # The first call sets up buffers; no caller should wait for that.
        self._decoder.decode(np.zeros(MODEL_RATE_HZ, np.float32), "auto", "")
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="whisper")
        self._most = slots + options.queue
        self._open: set[Future[Transcription]] = set()

    async def transcribe(self, wav: bytes, *, language: Language, prompt: str) -> Transcription:
        """Return what is said in a WAV file, or an empty text when nobody speaks in it.

        Raises:
            AudioError: the bytes are no WAV file, or of a rate that no speech has.
            RequestError: slots and queue are full.
        """
        if len(self._open) >= self._most:
            raise RequestError.busy(
                f"{len(self._open)} utterances are under way; expected {self._most} at most"
            )
        future = self._pool.submit(self._transcribe, wav, language, prompt)
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        # A caller that leaves the queue takes its utterance along; one that is decoded goes to its end.
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop waiting utterances; the threads end with theirs."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _transcribe(self, wav: bytes, language: Language, prompt: str) -> Transcription:
        samples, duration_s = samples_of(wav)
        texts = []
        spoken = language
        for piece in self._find_speech(samples):
            decoded = self._decoder.decode(piece, spoken, prompt)
            # The first piece decides for the rest of the utterance.
            spoken = decoded.language
            texts.append(decoded.text)
        text = ("" if spoken == "zh" else " ").join(text for text in texts if text)
        return Transcription(text=text, language="zh" if spoken == "zh" else "en", duration_s=duration_s)


def samples_of(wav: bytes) -> tuple[NDArray[np.float32], float]:
    """Return a WAV file as float32, shape (frames,), -1..1, at `MODEL_RATE_HZ`, and its length in s.

    Raises:
        AudioError: the bytes are no WAV file, or of a rate that no speech has.
    """
    pcm, rate_hz = read_wav(wav)
    if not _LOWEST_RATE_HZ <= rate_hz <= _HIGHEST_RATE_HZ:
        raise AudioError(f"WAV of {rate_hz} Hz; expected {_LOWEST_RATE_HZ} to {_HIGHEST_RATE_HZ}")
    samples = to_float32(pcm)
    return resample_samples(samples, rate_hz, MODEL_RATE_HZ), len(samples) / rate_hz

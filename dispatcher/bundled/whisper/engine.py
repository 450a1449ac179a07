"""The ASR engine: slots, threads, and the way of an utterance through VAD and decoder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from dispatcher.bundled.engines import Language, Transcription
from dispatcher.bundled.options import at_least, read_options
from dispatcher.bundled.refusals import RequestRefused
from dispatcher.bundled.registry import Prepared
from dispatcher.bundled.weights import find_weights
from dispatcher.bundled.whisper.samples import HEARING_RATE_HZ, samples_of
from dispatcher.errors import StartError


@dataclass(frozen=True, slots=True, kw_only=True)
class WhisperOptions:
    """What `--set` may change.

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


def prepare(options: Mapping[str, str]) -> Prepared:
    """Return the engine for these options; loading finds, checks and reads the weights."""
    chosen = read_options(WhisperOptions, options)
    return Prepared(load=lambda: load(chosen))


def load(options: WhisperOptions) -> WhisperEngine:
    """Return the engine with its model in memory.

    Raises:
        StartError: there are no weights, they are not what they should be, or the package is missing.
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
    """Hears with as many slots as there are cores; each works in a thread of its own."""

    model = "whisper-base"

    def __init__(self, weights: Path, options: WhisperOptions) -> None:
        """Load the model from a folder with checked weights."""
        # A second of imports, which belongs to the loading.
        from faster_whisper import WhisperModel  # noqa: PLC0415

        from dispatcher.bundled.whisper.decoder import Decoder  # noqa: PLC0415
        from dispatcher.bundled.whisper.speech import speech_pieces  # noqa: PLC0415

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
        # The first call sets up buffers; nobody should wait for that.
        self._decoder.decode(np.zeros(HEARING_RATE_HZ, np.float32), "auto", "")
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="whisper")
        self._most = slots + options.queue
        self._open: set[Future[Transcription]] = set()

    async def transcribe(self, wav: bytes, *, language: Language, prompt: str) -> Transcription:
        """Return what is said in a WAV file, or an empty text when nobody speaks in it.

        Raises:
            AudioError: the bytes are no WAV file, or of a rate that no speech has.
            RequestRefused: slots and queue are full.
        """
        if len(self._open) >= self._most:
            raise RequestRefused.busy(
                f"{len(self._open)} utterances are under way; expected {self._most} at most"
            )
        future = self._pool.submit(self._hear, wav, language, prompt)
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        # A caller that leaves the queue takes its utterance along; one that is decoded goes to its end.
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop what waits; the threads end with their utterances."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _hear(self, wav: bytes, language: Language, prompt: str) -> Transcription:
        samples, duration_s = samples_of(wav)
        texts = []
        spoken = language
        for piece in self._find_speech(samples):
            heard = self._decoder.decode(piece, spoken, prompt)
            # The first piece decides for the rest of the utterance.
            spoken = heard.language
            texts.append(heard.text)
        text = ("" if spoken == "zh" else " ").join(text for text in texts if text)
        return Transcription(text=text, language="zh" if spoken == "zh" else "en", duration_s=duration_s)

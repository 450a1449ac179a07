"""Pool of a bundled ASR engine: slots, queue, threads, and an utterance's way through VAD and decoder."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from dispatcher.audio.pcm import read_wav, resample_samples, to_float32
from dispatcher.bundled.engines import Language, SpokenLanguage, Transcription
from dispatcher.bundled.request_errors import RequestError
from dispatcher.errors import AudioError

MODEL_RATE_HZ: Final = 16_000
_LOWEST_RATE_HZ: Final = 4_000
_HIGHEST_RATE_HZ: Final = 192_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedSpeech:
    """The words of one piece of speech."""

    text: str
    language: SpokenLanguage


class SpeechDecoder(Protocol):
    """Decoding of samples to words; called from several threads at once."""

    def decode(self, samples: NDArray[np.float32], language: Language, prompt: str) -> DecodedSpeech:
        """Return what is said in at most 30 s of speech at `MODEL_RATE_HZ`."""
        ...


class TranscriptionPool:
    """ASR engine that decodes each utterance in a thread of its own, as many at once as it has slots."""

    def __init__(self, decoder: SpeechDecoder, *, model: str, slots: int, queue: int) -> None:
        """Transcribe with a loaded decoder; `queue` utterances may wait for a slot."""
        # A second of imports, which belongs to the loading.
        from dispatcher.bundled.whisper.speech_spans import speech_pieces  # noqa: PLC0415

        self.model = model
        self._find_speech = speech_pieces
        self._decoder = decoder
        # The first call sets up buffers; no caller should wait for that.
        decoder.decode(np.zeros(MODEL_RATE_HZ, np.float32), "auto", "")
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix=model)
        self._most = slots + queue
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

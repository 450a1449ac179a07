"""Voice activity: the speech probability of each 32 ms of sound, by the Silero model.

The weights are those inside the `faster_whisper` package. Only its folder is used: importing the
package would load its speech recognition too.
"""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from dispatcher.audio.model_file import load_onnx
from dispatcher.audio.pcm import Resampler, to_float32
from dispatcher.errors import AudioError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

VAD_RATE_HZ: Final = 16_000
WINDOW_SAMPLES: Final = 512
# The model takes the end of the previous window in front of each window.
_CONTEXT_SAMPLES: Final = 64
# -60 dBFS: below the noise of any microphone that is on, so the model is not run.
_SILENT_POWER: Final = 1e-6
# The model gets the beginning of a silence, so that its state of the speech before fades.
_FADE_WINDOWS: Final = 4


class SpeechModel(Protocol):
    """Model of speech probability, with the state of one stream."""

    def probability(self, window: NDArray[np.float32]) -> float:
        """Return how likely the window holds speech, 0..1."""
        ...

    def reset(self) -> None:
        """Forget the sound so far."""
        ...


class SileroVad:
    """The Silero model with the memory of one stream; about 0.2 ms of CPU a window."""

    def __init__(self) -> None:
        """Load the model, once per process.

        Raises:
            AudioError: the package that holds the model is not installed.
        """
        self._session = _load_session()
        self._h, self._c = _new_state(), _new_state()
        self._input = _new_window()

    def probability(self, window: NDArray[np.float32]) -> float:
        """Return how likely the window holds speech, 0..1.

        Args:
            window: `WINDOW_SAMPLES` samples at 16 kHz, -1..1, right after those of the last call.
        """
        self._input[0, :_CONTEXT_SAMPLES] = self._input[0, -_CONTEXT_SAMPLES:]
        self._input[0, _CONTEXT_SAMPLES:] = window
        speech, self._h, self._c = self._session.run(None, {"input": self._input, "h": self._h, "c": self._c})
        return float(speech.item())

    def reset(self) -> None:
        """Forget the sound so far; the next window begins a new stream."""
        self._h, self._c = _new_state(), _new_state()
        self._input = _new_window()


def _new_state() -> NDArray[np.float32]:
    return np.zeros((1, 1, 128), dtype=np.float32)


def _new_window() -> NDArray[np.float32]:
    return np.zeros((1, _CONTEXT_SAMPLES + WINDOW_SAMPLES), dtype=np.float32)


class SpeechMeter:
    """Speech probabilities of the windows in a stream of PCM."""

    def __init__(self, sample_rate_hz: int = VAD_RATE_HZ, *, model: SpeechModel | None = None) -> None:
        """Begin a stream.

        Args:
            sample_rate_hz: rate of the PCM; other rates than 16 kHz are resampled on the way.
            model: judges the windows; the Silero model when left out.

        Raises:
            AudioError: the Silero model is wanted and not installed.
        """
        self._model: SpeechModel = SileroVad() if model is None else model
        self._resampler = Resampler(sample_rate_hz, VAD_RATE_HZ)
        self._odd_byte = b""
        self._rest = np.zeros(0, dtype=np.float32)
        self._silent_windows = 0

    def feed(self, pcm: bytes) -> list[float]:
        """Return the speech probability of each window completed by this slice, oldest first."""
        self._rest = np.concatenate((self._rest, self._take_samples(pcm)))
        whole = len(self._rest) // WINDOW_SAMPLES
        windows = self._rest[: whole * WINDOW_SAMPLES].reshape(whole, WINDOW_SAMPLES)
        self._rest = self._rest[whole * WINDOW_SAMPLES :]
        return [self._judge(window) for window in windows]

    def reset(self) -> None:
        """Forget the sound so far; the next slice begins a new stream."""
        self._model.reset()
        self._resampler.reset()
        self._odd_byte = b""
        self._rest = np.zeros(0, dtype=np.float32)
        self._silent_windows = 0

    def _take_samples(self, pcm: bytes) -> NDArray[np.float32]:
        pcm = self._odd_byte + pcm
        self._odd_byte = pcm[len(pcm) // 2 * 2 :]
        return self._resampler.feed_samples(to_float32(pcm))

    def _judge(self, window: NDArray[np.float32]) -> float:
        silent = float(np.dot(window, window)) < WINDOW_SAMPLES * _SILENT_POWER
        self._silent_windows = self._silent_windows + 1 if silent else 0
        if self._silent_windows > _FADE_WINDOWS:
            return 0.0
        return self._model.probability(window)


@functools.cache
def _load_session() -> InferenceSession:
    """Return the one session of the process; it may run in many threads at once."""
    spec = find_spec("faster_whisper")
    if spec is None or not spec.submodule_search_locations:
        raise AudioError("no speech model for endpointing; pip install 'xiaozhi-dispatcher[vad]'")
    return load_onnx(Path(spec.submodule_search_locations[0], "assets", "silero_vad_v6.onnx"))

"""A small voice for Mandarin: espeak-ng, called in this process and in no other.

espeak-ng is under the GPL, version 3. It is an optional package, and this file is the only one that
calls it; the instance talks to the dispatcher over HTTP.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from typing import Final

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from dispatcher.audio.pcm import resample_samples, to_float32
from dispatcher.bundled.engines import SPEECH_RATE_HZ
from dispatcher.errors import StartError

# The most intelligible of a dozen voices and settings, as Whisper transcribes them.
VOICE: Final = b"cmn+f2"
WORDS_PER_MINUTE: Final = 150
PITCH_RANGE: Final = 70

# Names and numbers of espeak-ng's speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS: Final = 2
_POS_CHARACTER: Final = 1
_CHARS_UTF8: Final = 1
_EE_OK: Final = 0
_PARAMETER_RATE: Final = 1
_PARAMETER_RANGE: Final = 4
_BUFFER_MS: Final = 200
_CONTINUE: Final = 0

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class EspeakVoice:
    """One Mandarin voice, plainly a machine's; 5 ms of CPU for a sentence."""

    name = "espeak"
    sample = "今天天气很好，我们一起去公园散步吧。"

    def __init__(self) -> None:
        """Load the library and choose the voice.

        Raises:
            StartError: the library does not start.
        """
        # One state for the whole library: a second sentence has to wait for the first.
        self._lock = threading.Lock()
        self._made: list[NDArray[np.int16]] = []
        # The library keeps only the address, so the object must live as long as the voice.
        self._callback = _Callback(self._keep)
        self._library = _load_library(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self._rate_hz = self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, _BUFFER_MS, data, 0)
        if self._rate_hz <= 0:
            raise StartError("voices: espeak-ng does not start")
        self._library.espeak_SetSynthCallback(self._callback)
        if self._library.espeak_SetVoiceByName(VOICE) != _EE_OK:
            raise StartError(f"voices: espeak-ng has no voice {VOICE.decode()}; expected version 1.52")
        self._library.espeak_SetParameter(_PARAMETER_RANGE, PITCH_RANGE, 0)

    def say(self, text: str, speed: float) -> Iterator[NDArray[np.float32]]:
        """Yield the speech of one sentence in one piece."""
        words = text.encode()
        with self._lock:
            self._made.clear()
            self._library.espeak_SetParameter(_PARAMETER_RATE, round(WORDS_PER_MINUTE * speed), 0)
            self._library.espeak_Synth(words, len(words) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None)
            self._library.espeak_Synchronize()
            pieces = list(self._made)
        if pieces:
            samples = to_float32(np.concatenate(pieces).astype("<i2").tobytes())
            yield resample_samples(samples, self._rate_hz, SPEECH_RATE_HZ)

    def _keep(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int | None) -> int:
        """Copy what the library has made: its buffer is used again. The last call has no samples."""
        if count > 0:
            self._made.append(np.ctypeslib.as_array(samples, (count,)).astype(np.int16))
        return _CONTINUE


def load() -> EspeakVoice:
    """Return the voice.

    Raises:
        StartError: the library does not start.
    """
    return EspeakVoice()


def _load_library(path: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise StartError(f"voices: {error}") from error
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int,
        ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    return library

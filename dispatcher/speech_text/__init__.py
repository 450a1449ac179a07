"""Written text as speech: markup is left out, and numbers become words.

Pure, and shared by the workers and the built-in voices.
"""

from __future__ import annotations

from dispatcher.speech_text.block_stream import BlockStream
from dispatcher.speech_text.cleaner import clean
from dispatcher.speech_text.normalization import normalize

__all__ = ["BlockStream", "clean", "normalize"]

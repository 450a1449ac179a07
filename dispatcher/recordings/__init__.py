"""Recordings that ship: a sentence to say, and the phrases a device hears when a turn fails.

| name | says | form |
| --- | --- | --- |
| hello.wav | "Hello! What time is it?" | 16 kHz, what `dispatcher talk` says |
| sorry_en.wav | "Sorry, I could not answer that. Please try again." | 24 kHz, as devices hear |
| sorry_zh.wav | the same in Mandarin | 24 kHz, as devices hear |
| done_en.wav | "That is done, but I could not finish my answer." | 24 kHz, as devices hear |
| done_zh.wav | the same in Mandarin | 24 kHz, as devices hear |
| cut_en.wav | "But I could not finish my answer." | 24 kHz, as devices hear |
| cut_zh.wav | the same in Mandarin | 24 kHz, as devices hear |
| busy_en.wav | "Too many at once. Please try again in a moment." | 24 kHz, as devices hear |
| busy_zh.wav | the same in Mandarin | 24 kHz, as devices hear |
| spent_en.wav | "The budget for my answers is used up for now." | 24 kHz, as devices hear |
| spent_zh.wav | the same in Mandarin | 24 kHz, as devices hear |

All are mono s16 WAV, made by `make.py` beside this module with the built-in speech engines.
"""

from __future__ import annotations

from importlib import resources

from dispatcher.errors import AudioError


def names() -> tuple[str, ...]:
    """Return the file names of the recordings, sorted."""
    files = resources.files(__name__).iterdir()
    return tuple(sorted(file.name for file in files if file.name.endswith(".wav")))


def recording(name: str) -> bytes:
    """Return the WAV file of that name.

    Raises:
        AudioError: no recording has it; the text lists those that exist.
    """
    if name not in names():
        raise AudioError(f"no recording {name!r} ships; there are {', '.join(names())}")
    return resources.files(__name__).joinpath(name).read_bytes()

"""An ASR engine that hears the same words every time, at an exact time."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from dispatcher.bundled.engines import Language, Transcription
from dispatcher.bundled.options import at_least, read_options
from dispatcher.bundled.registry import Prepared
from dispatcher.bundled.timed.faults import Faults
from dispatcher.bundled.timed.options import read_faults
from dispatcher.bundled.timed.pace import Schedule, fail_early
from dispatcher.errors import AudioError

_HEADER_BYTES: Final = 44
_BYTES_PER_S: Final = struct.Struct("<28xI")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedAsrOptions:
    """What `--set` may change."""

    delay_s: float = at_least(0, default=0.2)
    text: str = "What time is it?"
    language: str = "en"


def prepare(options: Mapping[str, str]) -> Prepared:
    """Return the engine for these options."""
    rest, faults = read_faults(options)
    chosen = read_options(TimedAsrOptions, rest)
    return Prepared(load=lambda: TimedAsr(chosen, faults), faults=faults)


class TimedAsr:
    """Waits, then answers."""

    model = "timed-asr"

    def __init__(self, options: TimedAsrOptions, faults: Faults) -> None:
        """Answer by these options, unless the switch says otherwise."""
        self._text = options.text
        self._language: Literal["en", "zh"] = "zh" if options.language == "zh" else "en"
        self._schedule = Schedule(first_s=options.delay_s)
        self._faults = faults

    async def transcribe(self, wav: bytes, *, language: Language, prompt: str) -> Transcription:  # noqa: ARG002
        """Return the fixed words. Faults that need a stream come out as no answer at all."""
        fault = self._faults.current()
        duration_s = _duration_s(wav)
        await fail_early(self._schedule, fault)
        if fault.mode in {"keepalive", "stall-after"}:
            await asyncio.Event().wait()
        await asyncio.sleep(self._schedule.due_s(0, fault))
        spoken = self._language if language == "auto" else language
        return Transcription(text=self._text, language=spoken, duration_s=duration_s)

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""


def _duration_s(wav: bytes) -> float:
    """Return the length by the header alone; the samples are never looked at."""
    if len(wav) < _HEADER_BYTES or wav[:4] != b"RIFF" or wav[8:12] != b"WAVE":
        start = ascii(wav[:12].decode("latin-1"))
        raise AudioError(f"audio starts with {start}; expected a WAV file")
    bytes_per_s: int = _BYTES_PER_S.unpack_from(wav)[0]
    return (len(wav) - _HEADER_BYTES) / max(bytes_per_s, 1)

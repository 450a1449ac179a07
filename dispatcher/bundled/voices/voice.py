"""What the engine needs of a voice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Voice(Protocol):
    """Reads one language."""

    @property
    def name(self) -> str:
        """The word by which `/v1/models` and the log tell the voice from others."""
        ...

    @property
    def sample(self) -> str:
        """A sentence with most sounds of the language, by which the voice is levelled; empty for as it is."""
        ...

    def say(self, text: str, speed: float) -> Iterator[NDArray[np.float32]]:
        """Yield the speech as float32, shape (frames,), -1..1, at 24 kHz; nothing for nothing to say."""
        ...

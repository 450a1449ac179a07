"""What the engine needs of a voice."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Voice(Protocol):
    """Reads one language."""

    @property
    def sample(self) -> str:
        """A sentence with most sounds of the language, by which the voice is levelled."""
        ...

    def say(self, text: str, speed: float) -> NDArray[np.float32]:
        """Return the speech as float32, shape (frames,), -1..1, at 24 kHz; empty for nothing to say."""
        ...

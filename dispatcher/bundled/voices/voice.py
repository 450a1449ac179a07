"""Voice of one language, in which the engine synthesizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Voice(Protocol):
    """Synthesis of speech in one language."""

    @property
    def name(self) -> str:
        """Name in `/v1/models` and in the log."""
        ...

    @property
    def sample(self) -> str:
        """A sentence with most sounds of the language, by which the voice is levelled; empty for as it is."""
        ...

    def say(self, text: str, speed: float) -> Iterator[NDArray[np.float32]]:
        """Yield the speech as float32, shape (frames,), -1..1, at 24 kHz; nothing for nothing to say."""
        ...

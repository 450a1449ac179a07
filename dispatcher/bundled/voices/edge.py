"""Microsoft's Edge voice for Mandarin, for which TTS_VOICE=edge asks; over a network, without a key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dispatcher.audio.pcm import to_float32
from dispatcher.bundled import edge_engine
from dispatcher.bundled.request_errors import RequestError

SENTENCE_TIMEOUT_S: Final = 15


class EdgeVoice:
    """One Mandarin voice, spoken by a service that has no contract with us."""

    name = "edge"
    # Nothing is spoken at the start: the service is as loud as the other voices.
    sample = ""

    def __init__(self, engine: edge_engine.EdgeEngine) -> None:
        """Speak by the engine of these voices."""
        self._engine = engine

    def say(self, text: str, speed: float) -> Iterator[NDArray[np.float32]]:
        """Yield the speech, once the service has sent it.

        Raises:
            RequestError: the service did not speak.
        """
        if text:
            yield to_float32(asyncio.run(self._spoken(text, speed)))

    async def _spoken(self, text: str, speed: float) -> bytes:
        try:
            async with asyncio.timeout(SENTENCE_TIMEOUT_S):
                return b"".join([pcm async for pcm in self._engine.speak(text, language="zh", speed=speed)])
        except TimeoutError as error:
            raise RequestError.busy(f"Microsoft's Edge voice took over {SENTENCE_TIMEOUT_S} s") from error


def load() -> EdgeVoice:
    """Return the voice; the service is called when there is something to say.

    Raises:
        StartError: a package is missing.
    """
    return EdgeVoice(edge_engine.load(edge_engine.EdgeOptions()))

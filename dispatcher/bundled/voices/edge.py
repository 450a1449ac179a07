"""Microsoft's Edge voice for Mandarin, for which TTS_VOICE=edge asks; over a network, without a key."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import Final

import av
import edge_tts
import numpy as np
from numpy.typing import NDArray

from dispatcher.bundled.request_errors import RequestError

VOICE: Final = "zh-CN-XiaoxiaoNeural"
TIMEOUT_S: Final = 5
SENTENCE_TIMEOUT_S: Final = 15


class EdgeVoice:
    """One Mandarin voice, spoken by a service that has no contract with us."""

    name = "edge"
    # Nothing is spoken at the start: the service is as loud as the other voices.
    sample = ""

    def say(self, text: str, speed: float) -> Iterator[NDArray[np.float32]]:
        """Yield the speech, once the service has sent it.

        Raises:
            RequestError: the service is out of reach or answers with an error.
        """
        if not text:
            return
        rate = f"{round((speed - 1) * 100):+d}%"
        request = edge_tts.Communicate(
            text, VOICE, rate=rate, connect_timeout=TIMEOUT_S, receive_timeout=TIMEOUT_S
        )
        try:
            mp3 = asyncio.run(_received(request))
            with av.open(io.BytesIO(mp3), mode="r", format="mp3") as speech:
                yield from (frame.to_ndarray()[0].astype(np.float32) for frame in speech.decode(audio=0))
        except Exception as error:
            # The library raises its own errors, those of aiohttp, and those of the decoder.
            raise RequestError.busy(f"Microsoft's Edge voice is not available: {error}") from error


def load() -> EdgeVoice:
    """Return the voice; the service is called when there is something to say."""
    return EdgeVoice()


async def _received(request: edge_tts.Communicate) -> bytes:
    # The library's own call without a loop (`stream_sync`) never returns after an error.
    async with asyncio.timeout(SENTENCE_TIMEOUT_S):
        return b"".join([chunk["data"] async for chunk in request.stream() if chunk["type"] == "audio"])

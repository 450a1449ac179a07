"""What a device hears when no answer can be made: a phrase that was spoken long before."""

from __future__ import annotations

import io
import wave
from typing import Literal

from dispatcher.audio.opus import OpusEncoder, PacketEncoder, PcmPacketizer
from dispatcher.contracts import REPLY_FRAME_MS, REPLY_RATE_HZ, AudioFormat, Language
from dispatcher.recordings import recording

# What was asked for may have been done by a tool before the answer failed.
Kind = Literal["sorry", "done"]
TEXTS: dict[tuple[Kind, Language], str] = {
    ("sorry", "en"): "Sorry, I could not answer that. Please try again.",
    ("sorry", "zh"): "抱歉，我暂时回答不了，请再试一次。",
    ("done", "en"): "That is done, but I could not finish my answer.",
    ("done", "zh"): "已经做好了，不过我没能把话说完。",
}


class Apologies:
    """The phrases, encoded once at start: an apology needs no instance and no queue."""

    def __init__(self) -> None:
        """Encode every phrase in both formats (about 40 frames each, 30 ms in all)."""
        self._packets: dict[tuple[Kind, Language, AudioFormat], list[bytes]] = {}
        for kind, language in TEXTS:
            with wave.open(io.BytesIO(recording(f"{kind}_{language}.wav"))) as file:
                pcm = file.readframes(file.getnframes())
            encoder = PacketEncoder(OpusEncoder(REPLY_RATE_HZ, REPLY_FRAME_MS))
            cutter = PcmPacketizer(REPLY_RATE_HZ, REPLY_FRAME_MS)
            self._packets[kind, language, "opus"] = [*encoder.feed(pcm), *encoder.flush()]
            self._packets[kind, language, "pcm"] = [*cutter.feed(pcm), *cutter.flush()]

    def phrase(
        self, language: Language, audio_format: AudioFormat, *, kind: Kind = "sorry"
    ) -> tuple[str, list[bytes]]:
        """Return a phrase's text and packets; English where the language is not known."""
        known: Language = language if (kind, language) in TEXTS else "en"
        return TEXTS[kind, known], self._packets[kind, known, audio_format]

"""What a device hears when no answer can be made: a phrase that was spoken long before."""

from __future__ import annotations

import io
import wave

from dispatcher.audio.opus import OpusEncoder, PacketEncoder, PcmPacketizer
from dispatcher.contracts import REPLY_FRAME_MS, REPLY_RATE_HZ, AudioFormat, Language
from dispatcher.recordings import recording

TEXTS: dict[Language, str] = {
    "en": "Sorry, I could not answer that. Please try again.",
    "zh": "抱歉，我暂时回答不了，请再试一次。",
}


class Apologies:
    """The phrases, encoded once at start: an apology needs no instance and no queue."""

    def __init__(self) -> None:
        """Encode every phrase in both formats (about 40 frames each, 15 ms in all)."""
        self._packets: dict[tuple[Language, AudioFormat], list[bytes]] = {}
        for language in TEXTS:
            with wave.open(io.BytesIO(recording(f"sorry_{language}.wav"))) as file:
                pcm = file.readframes(file.getnframes())
            encoder = PacketEncoder(OpusEncoder(REPLY_RATE_HZ, REPLY_FRAME_MS))
            cutter = PcmPacketizer(REPLY_RATE_HZ, REPLY_FRAME_MS)
            self._packets[language, "opus"] = [*encoder.feed(pcm), *encoder.flush()]
            self._packets[language, "pcm"] = [*cutter.feed(pcm), *cutter.flush()]

    def phrase(self, language: Language, audio_format: AudioFormat) -> tuple[str, list[bytes]]:
        """Return the phrase's text and packets; English where the language is not known."""
        known: Language = language if language in TEXTS else "en"
        return TEXTS[known], self._packets[known, audio_format]

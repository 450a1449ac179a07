"""Apologies: recorded phrases for a device whose turn gets no answer."""

from __future__ import annotations

import io
import wave
from typing import Final

from dispatcher.audio.opus import OpusEncoder, PacketEncoder, PcmPacketizer
from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.dialogue.apology_texts import Kind as Kind  # noqa: PLC0414  both come together
from dispatcher.dialogue.language import detect_language, shows_language
from dispatcher.messages import REPLY_FRAME_MS, REPLY_RATE_HZ, AudioFormat, Language, TurnTicket
from dispatcher.recordings import recording

# Far more than one front serves; the device that was silent for longest is dropped first.
MAX_DEVICES: Final = 1000


class Apologies:
    """The phrases, encoded once at start: an apology needs no instance and no queue."""

    def __init__(self) -> None:
        """Encode every phrase in both formats (about 40 frames each, 30 ms in all)."""
        self._spoken: dict[str, Language] = {}
        self._packets: dict[tuple[Kind, Language, AudioFormat], list[bytes]] = {}
        for kind, language in APOLOGIES:
            with wave.open(io.BytesIO(recording(f"{kind}_{language}.wav"))) as file:
                pcm = file.readframes(file.getnframes())
            encoder = PacketEncoder(OpusEncoder(REPLY_RATE_HZ, REPLY_FRAME_MS))
            cutter = PcmPacketizer(REPLY_RATE_HZ, REPLY_FRAME_MS)
            self._packets[kind, language, "opus"] = [*encoder.feed(pcm), *encoder.flush()]
            self._packets[kind, language, "pcm"] = [*cutter.feed(pcm), *cutter.flush()]

    def note_language(self, device_id: str, text: str) -> None:
        """Note which language the user of a device speaks, for an utterance that is not understood."""
        if shows_language(text):
            self._spoken.pop(device_id, None)
            self._spoken[device_id] = detect_language(text)
            if len(self._spoken) > MAX_DEVICES:
                del self._spoken[next(iter(self._spoken))]

    def recorded(self, kind: Kind, language: Language, audio_format: AudioFormat) -> tuple[str, list[bytes]]:
        """Return the text and the packets of a phrase in a language; "auto" is English.

        Args:
            kind: whether what was asked for was done all the same, or some of the answer was played.
            language: that the user is spoken to in.
            audio_format: that the device plays.
        """
        spoken: Language = "en" if language == "auto" else language
        return APOLOGIES[kind, spoken], self._packets[kind, spoken, audio_format]

    def language(self, ticket: TurnTicket, *, said: str) -> Language:
        """Return the language that the user of a turn is spoken to in.

        Args:
            ticket: has the language, where that is not open.
            said: what the turn is about, as far as it is known. Where that shows no language, the device's
                last utterance does; where nothing was ever understood, it is English.
        """
        if ticket.language != "auto":
            return ticket.language
        return detect_language(said) if shows_language(said) else self._spoken.get(ticket.device_id, "en")

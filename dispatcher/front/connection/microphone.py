"""What a device's microphone sends: recorded, bounded, and listened to for the end of speech."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from dispatcher.audio.opus import OpusDecoder
from dispatcher.catalogue.conversation import Conversation
from dispatcher.dialogue.endpointing import Endpointer, EndpointRules
from dispatcher.errors import AudioError
from dispatcher.front.connection.protocol import AudioParams
from dispatcher.messages import UPLINK_RATE_HZ, AudioFormat

if TYPE_CHECKING:
    from dispatcher.audio.vad import SpeechMeter

Heard = Literal["speech started", "speech ended", "full"]

# 120 ms: of Opus at its highest rate, and of 48 kHz PCM.
MAX_PACKET_BYTES: Final[dict[AudioFormat, int]] = {"opus": 7_660, "pcm": 11_520}


class Microphone:
    """The recording of one connection.

    Attributes:
        dropped: packets that were too large or did not decode.
    """

    def __init__(self, params: AudioParams, rules: Conversation) -> None:
        """Record in the device's own format; nothing is decoded unless speech is watched for."""
        self.params = params
        self.dropped = 0
        self._max_ms = rules.max_utterance_s * 1000
        self._packets: deque[tuple[bytes, float]] = deque()
        self._recorded_ms = 0.0
        # Packets at the beginning of the recording that were sent on already, and how long all others are.
        self._sent = 0
        self._unsent_ms = 0.0
        self._opus = OpusDecoder(UPLINK_RATE_HZ)
        self._meter: SpeechMeter | None = None
        endpointing = EndpointRules(
            silence_ms=rules.endpoint_silence_ms, max_utterance_ms=round(rules.max_utterance_s * 1000)
        )
        self._endpointer = Endpointer(endpointing)
        # What is kept of the time before speech is certain: its beginning, and a little more.
        self._run_up_ms = endpointing.pre_roll_ms + endpointing.min_speech_ms

    @property
    def hears_speech(self) -> bool:
        """Whether somebody is speaking; known only where speech is watched for."""
        return self._endpointer.in_speech

    def open(self) -> None:
        """Start a new recording."""
        self._packets.clear()
        self._recorded_ms = self._unsent_ms = 0.0
        self._sent = 0
        self._endpointer.reset()
        if self._meter is not None:
            self._meter.reset()

    def take(self) -> list[bytes]:
        """Return the recording and start a new one."""
        taken = [packet for packet, _ in self._packets]
        self.open()
        return taken

    def unsent(self, *, at_least_ms: float) -> list[bytes]:
        """Return what was recorded since the last call, once it is so long; it stays in the recording."""
        if self._unsent_ms < at_least_ms:
            return []
        fresh = [packet for packet, _ in islice(self._packets, self._sent, None)]
        self._sent, self._unsent_ms = len(self._packets), 0.0
        return fresh

    def add(self, packet: bytes, *, watch_speech: bool) -> Heard | None:
        """Record a packet; say what it changed.

        Args:
            packet: one Opus packet (silence may be one byte), or s16le for a PCM device.
            watch_speech: the device will not say when the utterance is over.
        """
        try:
            duration_ms = self._duration_ms(packet)
            probabilities = None
            if watch_speech and self._meter is not None:
                probabilities = self._meter.feed(self._pcm(packet))
        except AudioError:
            self.dropped += 1
            return None
        self._packets.append((packet, duration_ms))
        self._recorded_ms += duration_ms
        self._unsent_ms += duration_ms
        if probabilities is not None:
            return self._judge(probabilities)
        if self._recorded_ms < self._max_ms:
            return None
        # Where nobody takes a full recording (realtime, during a reply, without a speech model) it moves on.
        self._keep(self._max_ms)
        return "full"

    def _judge(self, probabilities: list[float]) -> Heard | None:
        heard: Heard | None = None
        for probability in probabilities:
            event = self._endpointer.feed(probability)
            if event == "speech_started":
                heard = "speech started"
            elif event == "utterance_ended":
                return "speech ended"
        if not self._endpointer.in_speech:
            # Before speech only its run-up is kept: a microphone may be on for hours.
            self._keep(self._run_up_ms)
        return heard

    def _keep(self, most_ms: float) -> None:
        """Forget the oldest packets beyond a length."""
        while self._recorded_ms > most_ms:
            duration_ms = self._packets.popleft()[1]
            self._recorded_ms -= duration_ms
            if self._sent:
                self._sent -= 1
            else:
                self._unsent_ms -= duration_ms

    def _duration_ms(self, packet: bytes) -> float:
        """Return how much sound a packet is, by itself: what the hello said of it need not be true."""
        if len(packet) > MAX_PACKET_BYTES[self.params.format]:
            raise AudioError(f"packet of {len(packet)} bytes")
        if self.params.format == "pcm":
            return len(packet) / 2 / self.params.sample_rate * 1000
        return self._opus.packet_duration_ms(packet)

    def _pcm(self, packet: bytes) -> bytes:
        return packet if self.params.format == "pcm" else self._opus.decode(packet)

    async def learn_speech(self) -> None:
        """Load the speech model aside from the loop; the first device that needs it waits for it.

        Raises:
            AudioError: the model is not installed.
        """
        if self._meter is None:
            self._meter = await asyncio.to_thread(self._make_meter)

    def _make_meter(self) -> SpeechMeter:
        # 70 MB for a front whose devices all have a button would be a waste.
        from dispatcher.audio.vad import SpeechMeter  # noqa: PLC0415

        pcm = self.params.format == "pcm"
        return SpeechMeter(self.params.sample_rate if pcm else UPLINK_RATE_HZ)

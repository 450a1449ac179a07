"""Sound of a device's microphone: recorded, bounded, and searched for the end of speech."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from dispatcher.audio import JUDGED_S
from dispatcher.audio.opus import OpusDecoder
from dispatcher.catalogue.conversation import Conversation
from dispatcher.dialogue.endpointing import Endpointer, EndpointRules, endpoint_rules
from dispatcher.errors import AudioError
from dispatcher.front.connection.pause_judge import Pause, PauseJudge
from dispatcher.front.connection.protocol import AudioParams
from dispatcher.messages import UPLINK_RATE_HZ, AudioFormat

if TYPE_CHECKING:
    from dispatcher.audio.vad import SpeechMeter

SpeechEvent = Literal["speech started", "speech ended", "full"]

# 120 ms: of Opus at its highest rate, and of 48 kHz PCM.
MAX_PACKET_BYTES: Final[dict[AudioFormat, int]] = {"opus": 7_660, "pcm": 11_520}


class Recording:
    """Packets of one utterance, and which of them were streamed already."""

    def __init__(self) -> None:
        """Record nothing yet."""
        self.duration_ms = 0.0
        self._packets: deque[tuple[bytes, float]] = deque()
        # Packets at the beginning that were streamed already, and how long all others are.
        self._streamed = 0
        self._unsent_ms = 0.0

    def append(self, packet: bytes, duration_ms: float) -> None:
        """Add a packet at the end."""
        self._packets.append((packet, duration_ms))
        self.duration_ms += duration_ms
        self._unsent_ms += duration_ms

    def packets(self) -> list[bytes]:
        """Return all of it."""
        return [packet for packet, _ in self._packets]

    def take_unsent(self, *, at_least_ms: float) -> list[bytes]:
        """Return what was added since the last call, once it is so long; it stays in the recording."""
        if self._unsent_ms < at_least_ms:
            return []
        fresh = [packet for packet, _ in islice(self._packets, self._streamed, None)]
        self._streamed, self._unsent_ms = len(self._packets), 0.0
        return fresh

    def trim(self, max_ms: float) -> None:
        """Drop the oldest packets beyond a length."""
        while self.duration_ms > max_ms:
            duration_ms = self._packets.popleft()[1]
            self.duration_ms -= duration_ms
            if self._streamed:
                self._streamed -= 1
            else:
                self._unsent_ms -= duration_ms


class SpeechDetector:
    """Speech in the sound of one device: where it begins and where the utterance ends."""

    def __init__(self, rate_hz: int, rules: EndpointRules, judge: PauseJudge | None) -> None:
        """Detect nothing before `load`; `judge` is asked at pauses, where the rules have any judged."""
        self._rate_hz = rate_hz
        self._rules = rules
        self._endpointer = Endpointer(rules)
        self._judge = judge if rules.pause_ms is not None else None
        self._meter: SpeechMeter | None = None
        # Sound that is judged: the utterance, or so much before it as is kept of one.
        self._sound = bytearray()

    @property
    def is_loaded(self) -> bool:
        """Whether speech can be detected."""
        return self._meter is not None

    @property
    def in_speech(self) -> bool:
        """Whether somebody is speaking."""
        return self._endpointer.in_speech

    @property
    def ended_silence_ms(self) -> int:
        """Silence that ended the utterance just now; 0 where something else did."""
        return self._endpointer.ended_silence_ms

    @property
    def heard_ms(self) -> tuple[int, int]:
        """Speech of the utterance, or of the last one, and the time since it was heard."""
        return self._endpointer.heard_ms

    async def load(self) -> None:
        """Load the speech model aside from the loop; the first device that needs it waits for it.

        Raises:
            AudioError: the model is not installed.
        """
        if self._judge is not None:
            self._judge.load()
        if self._meter is None:
            self._meter = await asyncio.to_thread(self._make_meter)

    def reset(self) -> None:
        """Begin a new utterance."""
        self._endpointer.reset()
        self._sound.clear()
        if self._meter is not None:
            self._meter.reset()

    def feed(self, pcm: bytes) -> SpeechEvent | None:
        """Take in sound; return what begins or ends in it."""
        found: SpeechEvent | None = None
        self._keep(pcm)
        for probability in self._meter.feed(pcm) if self._meter is not None else ():
            event = self._endpointer.feed(probability)
            if event == "speech_started":
                found = "speech started"
            elif event == "paused":
                self._ask_judge()
            elif event == "utterance_ended":
                return "speech ended"
        return found

    def _keep(self, pcm: bytes) -> None:
        if self._judge is None:
            return
        self._sound += pcm
        kept_s = JUDGED_S if self.in_speech else self._rules.run_up_ms / 1000
        del self._sound[: max(0, len(self._sound) - round(kept_s * self._rate_hz) * 2)]

    def _ask_judge(self) -> None:
        pause = self._endpointer.pause
        if self._judge is None or pause is None:
            return
        self._judge.judge(
            Pause(
                pcm=bytes(self._sound),
                rate_hz=self._rate_hz,
                silence_s=(self._rules.silence_ms - self._endpointer.silence_ms) / 1000,
                goes_on=lambda: self._endpointer.pause == pause,
                on_judged=lambda finished: self._endpointer.judge(pause, finished),
            )
        )

    def _make_meter(self) -> SpeechMeter:
        # 70 MB for a front whose devices all have a button would be a waste.
        from dispatcher.audio.vad import SpeechMeter  # noqa: PLC0415

        return SpeechMeter(self._rate_hz)


class Microphone:
    """The microphone of one connection.

    Attributes:
        dropped: packets that were too large or did not decode.
    """

    def __init__(self, params: AudioParams, rules: Conversation, judge: PauseJudge | None = None) -> None:
        """Record in the device's own format; nothing is decoded unless speech is watched for."""
        self.params = params
        self.dropped = 0
        self._max_ms = rules.max_utterance_s * 1000
        endpointing = endpoint_rules(rules)
        self._run_up_ms = endpointing.run_up_ms
        self._is_pcm = params.format == "pcm"
        self._opus = OpusDecoder(UPLINK_RATE_HZ)
        rate_hz = params.sample_rate if self._is_pcm else UPLINK_RATE_HZ
        self._speech = SpeechDetector(rate_hz, endpointing, judge)
        self._recording = Recording()

    @property
    def in_speech(self) -> bool:
        """Whether somebody is speaking; known only where speech is watched for."""
        return self._speech.in_speech

    @property
    def ended_silence_ms(self) -> int:
        """Silence that ended the utterance just now; 0 where something else did, and once it is taken."""
        return self._speech.ended_silence_ms

    @property
    def heard_ms(self) -> tuple[int, int]:
        """Speech of the utterance, or of the last one, and the time since it was heard."""
        return self._speech.heard_ms

    def recorded(self) -> list[bytes]:
        """Return the recording so far, which goes on."""
        return self._recording.packets()

    async def load_speech_model(self) -> None:
        """Get ready to watch for speech; errors as in `SpeechDetector.load`."""
        await self._speech.load()

    def open(self) -> None:
        """Start a new recording."""
        self._recording = Recording()
        self._speech.reset()

    def take(self) -> list[bytes]:
        """Return the recording and start a new one."""
        taken = self._recording.packets()
        self.open()
        return taken

    def take_unsent(self, *, at_least_ms: float) -> list[bytes]:
        """Return what is to be streamed now, as `Recording.take_unsent` does."""
        return self._recording.take_unsent(at_least_ms=at_least_ms)

    def add(self, packet: bytes, *, watch_speech: bool) -> SpeechEvent | None:
        """Record a packet; return what begins or ends with it.

        Args:
            packet: one Opus packet (silence may be one byte), or s16le for a PCM device.
            watch_speech: the device does not send the end of the utterance.
        """
        is_watched = watch_speech and self._speech.is_loaded
        try:
            duration_ms = self._duration_ms(packet)
            event = self._speech.feed(self._pcm(packet)) if is_watched else None
        except AudioError:
            self.dropped += 1
            return None
        self._recording.append(packet, duration_ms)
        if is_watched:
            if event != "speech ended" and not self.in_speech:
                # Before speech only its run-up is kept: a microphone may be on for hours.
                self._recording.trim(self._run_up_ms)
            return event
        if self._recording.duration_ms < self._max_ms:
            return None
        # Where nobody takes a full recording (realtime, during a reply, without a speech model) it moves on.
        self._recording.trim(self._max_ms)
        return "full"

    def _duration_ms(self, packet: bytes) -> float:
        """Return how much sound a packet is, by itself: what the hello claims of it need not be true."""
        if len(packet) > MAX_PACKET_BYTES[self.params.format]:
            raise AudioError(f"packet of {len(packet)} bytes")
        if self._is_pcm:
            return len(packet) / 2 / self.params.sample_rate * 1000
        return self._opus.packet_duration_ms(packet)

    def _pcm(self, packet: bytes) -> bytes:
        return packet if self._is_pcm else self._opus.decode(packet)

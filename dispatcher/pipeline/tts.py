"""TTS stage: from a sentence to packets, sent to the front as the speech is made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from dispatcher.audio import packets
from dispatcher.audio.opus import SAMPLE_BYTES, OpusEncoder, PacketEncoder, PcmPacketizer
from dispatcher.audio.opus_frames import OpusPackets
from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.persona import voice_at, voices_of
from dispatcher.errors import InstanceFailed
from dispatcher.messages import REPLY_FRAME_MS, REPLY_RATE_HZ, Keep, ReplyFields, TurnTicket
from dispatcher.pipeline.attempt import Attempt, CallProfile, now
from dispatcher.pipeline.attempt_runner import LostHedge
from dispatcher.pipeline.hedged_call import HedgedCall
from dispatcher.pipeline.phrase_speech import PhraseMaking, find_or_make, played
from dispatcher.pipeline.stage import reply, without_stalls
from dispatcher.pipeline.usage_metering import metered_speech
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.providers.protocols import PacketTtsProvider
from dispatcher.routing.leases import WaitingOrder
from dispatcher.routing.router import Lease
from dispatcher.routing.rules.constants import FIRST_SENTENCE_DUE_S

# The first packets leave at once, others wait for ten: one entry for each cost 24 ms of CPU per turn more.
PACKETS_PER_REPLY: Final = 10
# What waits leaves when a device has so little to play, which is as long as the way there may take.
LEAST_UNPLAYED_S: Final = 0.1
_FRAME_BYTES: Final = REPLY_RATE_HZ * REPLY_FRAME_MS // 1000 * SAMPLE_BYTES

_idle_encoders: list[PacketEncoder] = []


async def speak(
    context: WorkerContext,
    ticket: TurnTicket,
    index: int,
    text: str,
    keep: Keep = "",
    *,
    due_at_s: float | None = None,
) -> None:
    """Speak sentence number `index` of a turn, from the phrase cache where it is there or about to be.

    `due_at_s` as in `chains.synthesize`.

    Raises:
        InstanceError, NoInstanceAvailable, StateError: no instance spoke it to its end.
    """
    if not keep:
        await synthesize(context, ticket, index, text, due_at_s=due_at_s)
        return
    found = await find_or_make(context, ticket, text, keep=keep)
    if found.finding == "hit":
        reply(context, ticket, "audio", **played(found, index))
        return
    making = PhraseMaking(context, ticket, text, keep=keep, token=found.token)
    try:
        await synthesize(context, ticket, index, text, making, due_at_s=due_at_s)
        await making.store()
    finally:
        making.end()


async def synthesize(
    context: WorkerContext,
    ticket: TurnTicket,
    index: int,
    text: str,
    making: PhraseMaking | None = None,
    *,
    due_at_s: float | None = None,
) -> None:
    """Have an instance speak sentence number `index` of a turn; `making` gets what is spoken as well.

    Raises:
        InstanceError, NoInstanceAvailable, StateError: no instance spoke it to its end.
    """
    speech = SentenceSpeech(context, ticket, index, making)
    voices = voices_of(context.catalogue.conversation, ticket)

    async def attempt_on(attempt: Attempt, lease: Lease) -> None:
        voice = voice_at(voices, lease.instance) or lease.instance.voice
        speaker = replace(lease.instance, voice=voice)
        words = _words_for(speaker, text, ticket)
        stream = metered_speech(_stream(context, speaker, words, ticket), lease.usage, words)
        await speech.read(stream, attempt, lease, speaker)

    try:
        await HedgedCall(context, _profile(ticket, index, due_at_s), attempt_on).run()
    finally:
        speech.release()


def _words_for(speaker: Instance, text: str, ticket: TurnTicket) -> str:
    """Return a sentence as an instance takes it; the patterns are imported by a TTS worker (`WarmUp.run`)."""
    if not speaker.normalize_text:
        return text
    from dispatcher.speech_text.normalization import normalize  # noqa: PLC0415

    return normalize(text, ticket.language)


def _profile(ticket: TurnTicket, index: int, due_at_s: float | None) -> CallProfile:
    """Return the call with its place in line: by when the device has nothing more to play.

    A first sentence is due a bound of time after it came, and counts as the device's share; those that follow
    are spaced by the playback of the ones before.
    """
    sharer = "" if index else ticket.device_id
    due_s = time.time() + FIRST_SENTENCE_DUE_S if due_at_s is None else due_at_s
    order = WaitingOrder(sharer=sharer, due_ms=due_s * 1000)
    return CallProfile(service="tts", ticket=ticket, order=order, index=index)


class SentenceSpeech:
    """One sentence as it is spoken: PCM in, packets out."""

    def __init__(
        self, context: WorkerContext, ticket: TurnTicket, index: int, making: PhraseMaking | None
    ) -> None:
        """Take an encoder of the format that the device plays."""
        self._making = making
        self._replies = AudioReplies(context, ticket, index, making)
        self._encoder = _take_encoder(ticket, complexity=context.catalogue.playback.opus_complexity)
        self._taken_bytes = 0
        self._skip_bytes = 0

    async def read(
        self, stream: AsyncGenerator[bytes, None], attempt: Attempt, lease: Lease, speaker: Instance
    ) -> None:
        """Send all that an instance speaks.

        Raises:
            LostHedge: another one speaks.
            InstanceFailed: it speaks nothing.
        """
        async with aclosing(without_stalls(lease, stream)) as pieces:
            async for piece in pieces:
                if piece and not attempt.has_won:
                    self._begin(attempt, lease, speaker)
                self._write(piece)
        if not attempt.has_won:
            raise InstanceFailed(lease.instance.name, "the speech is empty")
        self._replies.finish(self._encoder.flush())

    def _begin(self, attempt: Attempt, lease: Lease, speaker: Instance) -> None:
        """Take an instance's audio from here on; as much as an earlier one has spoken already is skipped.

        Raises:
            LostHedge: another one speaks; nothing of this one is sent.
        """
        if not attempt.try_win():
            raise LostHedge
        self._skip_bytes = self._taken_bytes
        if self._making is not None:
            self._making.begin(speaker)
        self._replies.timings = {
            "tts_instance": lease.instance.name,
            "tts_wait_ms": round(lease.wait_ms, 1),
            "tts_first_audio_ms": round(attempt.elapsed_s * 1000, 1),
        }

    def _write(self, pcm: bytes) -> None:
        """Encode a slice, and send its packets; those that need no encoding are passed on."""
        if isinstance(pcm, OpusPackets):
            self._pass(packets.unpack(pcm))
            return
        skipped = min(self._skip_bytes, len(pcm))
        self._skip_bytes -= skipped
        pcm = pcm[skipped:]
        if pcm:
            self._taken_bytes += len(pcm)
            self._replies.add(self._encoder.feed(pcm))

    def _pass(self, made: list[bytes]) -> None:
        skipped = min(self._skip_bytes // _FRAME_BYTES, len(made))
        self._skip_bytes -= skipped * _FRAME_BYTES
        made = made[skipped:]
        self._taken_bytes += len(made) * _FRAME_BYTES
        # Before them comes what an instance that failed has spoken last, where that sent PCM.
        self._replies.add(self._encoder.flush() + made)

    def release(self) -> None:
        """Send nothing more, and let the next sentence use the encoder, which starts afresh."""
        self._replies.stop()
        if isinstance(self._encoder, PacketEncoder):
            self._encoder.flush()
            _idle_encoders.append(self._encoder)


class AudioReplies:
    """Packets of one sentence on their way to the front: the first at once, the others in groups.

    Attributes:
        timings: sent with the first.
    """

    def __init__(
        self, context: WorkerContext, ticket: TurnTicket, index: int, making: PhraseMaking | None
    ) -> None:
        """Send nothing yet."""
        self.timings: dict[str, str | float] = {}
        self._context = context
        self._ticket = ticket
        self._index = index
        self._making = making
        self._ready: list[bytes] = []
        self._sent = 0
        self._first_sent_at = now()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, ready: list[bytes]) -> None:
        """Send packets, now or when more are there or the device needs them."""
        self._ready += ready
        if self._ready and (not self._sent or len(self._ready) >= PACKETS_PER_REPLY):
            self._send()
        elif self._ready and self._timer is None:
            # A device that began at once has so much left to play.
            unplayed_s = self._sent * REPLY_FRAME_MS / 1000 - (now() - self._first_sent_at)
            wait_s = max(0.0, unplayed_s - LEAST_UNPLAYED_S)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._send)

    def finish(self, ready: list[bytes]) -> None:
        """Send the last packets."""
        self._ready += ready
        self._send(last=True)

    def stop(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self, *, last: bool = False) -> None:
        self.stop()
        group, self._ready = self._ready, []
        if not self._sent:
            self._first_sent_at = now()
        timings = None if self._sent else self.timings
        self._sent += len(group)
        if self._making is not None:
            self._making.add(group)
        packed = packets.pack(group)
        fields = ReplyFields(index=self._index, packets=packed, last=last, timings=timings)
        reply(self._context, self._ticket, "audio", **fields)


def _stream(
    context: WorkerContext, speaker: Instance, words: str, ticket: TurnTicket
) -> AsyncGenerator[bytes, None]:
    """Return the speech of an instance, in packets where it sends those that the device plays."""
    provider = context.providers.tts(speaker)
    may_pass = speaker.format == "opus" and ticket.audio_format == "opus"
    if may_pass and isinstance(provider, PacketTtsProvider):
        return provider.synthesize_packets(speaker, words, ticket.language)
    return provider.synthesize(speaker, words, ticket.language)


def _take_encoder(ticket: TurnTicket, *, complexity: int) -> PacketEncoder | PcmPacketizer:
    """Return an encoder of the loop's own pool, which is as large as the busiest moment was.

    Those of a complexity that the YAML had before are left out of it.
    """
    if ticket.audio_format == "pcm":
        return PcmPacketizer(REPLY_RATE_HZ, REPLY_FRAME_MS)
    while _idle_encoders:
        encoder = _idle_encoders.pop()
        if encoder.complexity == complexity:
            return encoder
    return PacketEncoder(OpusEncoder(REPLY_RATE_HZ, REPLY_FRAME_MS, complexity=complexity))

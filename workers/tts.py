"""Queue `tts`: from a sentence to packets, sent to the front as the speech is made."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from dispatcher.audio import packets
from dispatcher.audio.opus import OpusEncoder, PacketEncoder, PcmPacketizer
from dispatcher.dialogue.persona import character, voice_at
from dispatcher.errors import InstanceFailed
from dispatcher.messages import REPLY_FRAME_MS, REPLY_RATE_HZ, SYNTHESIZE, ReplyFields, TurnTicket
from dispatcher.pipeline.attempts import LostHedge, Runner
from dispatcher.pipeline.hedged_call import HedgedCall
from dispatcher.pipeline.stage import reply, run_stage, without_stalls
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.routing.router import Lease
from dispatcher.speech_text import normalize
from workers.celery import app

# The first packet leaves at once; then five travel together: one entry for each packet cost 24 ms
# of CPU per turn more.
PACKETS_PER_REPLY: Final = 5

_idle_encoders: list[PacketEncoder] = []


@app.task(name=SYNTHESIZE)
def synthesize(payload: dict[str, Any], index: int, text: str) -> None:
    """Speak sentence number `index` of a turn."""
    ticket = TurnTicket.from_payload(payload)
    run_stage("tts", ticket, lambda shared: _synthesize(shared, ticket, index, text), index=index)


async def _synthesize(shared: WorkerContext, ticket: TurnTicket, index: int, text: str) -> None:
    speech = Speech(shared, ticket, index)
    voices = character(shared.catalogue.conversation, ticket.device_id, chosen=ticket.persona).voices

    async def draft(runner: Runner, lease: Lease) -> None:
        voice = voice_at(voices, lease.instance) or lease.instance.voice
        speaker = replace(lease.instance, voice=voice)
        said = normalize(text, ticket.language) if speaker.normalize_text else text
        stream = shared.providers.tts(speaker).synthesize(speaker, said, ticket.language)
        async with aclosing(without_stalls(lease, stream)) as pieces:
            async for piece in pieces:
                if piece and not runner.has_floor:
                    speech.begin(runner, lease)
                speech.write(piece)
        if not runner.has_floor:
            raise InstanceFailed(lease.instance.name, "the speech is empty")
        speech.close()

    try:
        await HedgedCall(shared, "tts", ticket, draft).run()
    finally:
        speech.give_back_encoder()


class Speech:
    """One sentence as it is spoken: PCM in, packets out."""

    def __init__(self, shared: WorkerContext, ticket: TurnTicket, index: int) -> None:
        """Take an encoder of the format that the device hears."""
        self._shared = shared
        self._ticket = ticket
        self._index = index
        self._encoder = _take_encoder(ticket)
        self._ready: list[bytes] = []
        self._taken_bytes = 0
        self._skip_bytes = 0
        self._sent = 0
        self._timings: dict[str, str | float] = {}

    def begin(self, runner: Runner, lease: Lease) -> None:
        """Take what an instance speaks from here on; what an earlier one spoke already is skipped.

        Raises:
            Outrun: another one speaks; nothing of this one is heard.
        """
        if not runner.take_floor():
            raise LostHedge
        self._skip_bytes = self._taken_bytes
        self._timings = {
            "tts_instance": lease.instance.name,
            "tts_wait_ms": round(lease.wait_ms, 1),
            "tts_first_audio_ms": round(runner.elapsed_s * 1000, 1),
        }

    def write(self, pcm: bytes) -> None:
        """Encode a slice and send what makes a full reply."""
        skipped = min(self._skip_bytes, len(pcm))
        self._skip_bytes -= skipped
        pcm = pcm[skipped:]
        if not pcm:
            return
        self._taken_bytes += len(pcm)
        self._ready += self._encoder.feed(pcm)
        while self._ready and (not self._sent or len(self._ready) >= PACKETS_PER_REPLY):
            self._send(1 if not self._sent else PACKETS_PER_REPLY, last=False)

    def close(self) -> None:
        """Send the rest."""
        self._ready += self._encoder.flush()
        self._send(len(self._ready), last=True)

    def give_back_encoder(self) -> None:
        """Let the next sentence use the encoder; one that was cut off in mid-frame starts afresh."""
        if isinstance(self._encoder, PacketEncoder):
            self._encoder.flush()
            _idle_encoders.append(self._encoder)

    def _send(self, count: int, *, last: bool) -> None:
        group, self._ready = self._ready[:count], self._ready[count:]
        timings = None if self._sent else self._timings
        self._sent += len(group)
        packed = packets.pack(group)
        fields = ReplyFields(index=self._index, packets=packed, last=last, timings=timings)
        reply(self._shared, self._ticket, "audio", **fields)


def _take_encoder(ticket: TurnTicket) -> PacketEncoder | PcmPacketizer:
    """Return an encoder of the loop's own pool, which is as large as the busiest moment was."""
    if ticket.audio_format == "pcm":
        return PcmPacketizer(REPLY_RATE_HZ, REPLY_FRAME_MS)
    return (
        _idle_encoders.pop() if _idle_encoders else PacketEncoder(OpusEncoder(REPLY_RATE_HZ, REPLY_FRAME_MS))
    )

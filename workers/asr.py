"""Queue `asr`: from an utterance to its transcript."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from celery.exceptions import Ignore

from dispatcher.audio import packets
from dispatcher.audio.opus import OpusDecoder
from dispatcher.audio.wav import wav_bytes
from dispatcher.errors import AudioError
from dispatcher.messages import TRANSCRIBE, UPLINK_RATE_HZ, TurnTicket
from dispatcher.pipeline.asr_stream import hear, size_of, tell_transcript
from dispatcher.pipeline.attempts import CallProfile, Runner
from dispatcher.pipeline.hedged_call import HedgedCall
from dispatcher.pipeline.stage import run_stage
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.providers.protocols import Transcript
from dispatcher.routing.router import Lease
from dispatcher.turn_store import utterance_audio
from workers.celery import app

log = structlog.get_logger(__name__)


@app.task(name=TRANSCRIBE)
def transcribe(payload: dict[str, Any]) -> dict[str, Any]:
    """Transcribe an utterance, claimed or still spoken; tell the front, and hand the text on to the LLM.

    Raises:
        Ignore: nothing was said, or nobody waits any more; the chain ends quietly.
    """
    ticket = TurnTicket.from_payload(payload)
    work = hear if ticket.live else _transcribe
    heard = run_stage("asr", ticket, lambda shared: work(shared, ticket))
    if heard is None or not heard.text:
        raise Ignore
    return heard.as_payload()


async def _transcribe(shared: WorkerContext, ticket: TurnTicket) -> TurnTicket:
    packed = await utterance_audio.read_claim(shared.redis, ticket.turn_id, cache=shared.cache)
    # A minute of speech takes 150 ms to decode; the loop has other calls to serve.
    wav = await asyncio.to_thread(_as_wav, packed, ticket)

    async def draft(runner: Runner, lease: Lease) -> Transcript:
        provider = shared.providers.asr(lease.instance)
        heard = await provider.transcribe(lease.instance, wav, ticket.language)
        if not runner.take_floor():
            return heard  # too late, but a call that went well
        return tell_transcript(shared, ticket, lease, heard, wait_ms=lease.wait_ms)

    heard = await HedgedCall(shared, "asr", ticket, draft, CallProfile(size=size_of(len(wav)))).run()
    return ticket.with_text(heard.text, heard.language)


def _as_wav(packed: bytes, ticket: TurnTicket) -> bytes:
    """Return the utterance as a WAV; packets that do not decode are left out.

    Raises:
        AudioError: not one packet decodes.
    """
    pieces = packets.unpack(packed)
    if ticket.audio_format == "pcm":
        return wav_bytes(b"".join(pieces), ticket.uplink_rate_hz)
    decoder = OpusDecoder(UPLINK_RATE_HZ)
    decoded, broken = [], 0
    for piece in pieces:
        try:
            decoded.append(decoder.decode(piece))
        except AudioError:
            broken += 1
    if broken:
        log.info("packets left out", broken=broken, packets=len(pieces))
    if not decoded:
        raise AudioError(f"none of {len(pieces)} packets is Opus")
    return wav_bytes(b"".join(decoded), UPLINK_RATE_HZ)

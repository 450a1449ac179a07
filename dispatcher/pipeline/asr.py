"""ASR stage: from a whole utterance to its transcript."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog

from dispatcher.audio import packets
from dispatcher.audio.opus import SAMPLE_BYTES
from dispatcher.audio.wav import WAV_HEADER_BYTES, wav_bytes
from dispatcher.dialogue.language import detect_language
from dispatcher.dialogue.transcript_filter import said
from dispatcher.errors import AudioError
from dispatcher.messages import UPLINK_RATE_HZ, TurnTicket
from dispatcher.pipeline.attempt import Attempt, CallProfile
from dispatcher.pipeline.hedged_call import HedgedCall
from dispatcher.pipeline.incoming_utterance import UtteranceDecoder, decode_by_size
from dispatcher.pipeline.stage import reply
from dispatcher.pipeline.usage_metering import metered_transcript
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.providers.protocols import Transcript
from dispatcher.routing.leases import WaitingOrder
from dispatcher.routing.router import Lease
from dispatcher.turn_store import utterance_audio

log = structlog.get_logger(__name__)

# An utterance of up to so long is as good as any: Whisper pads it, and what is fixed in a call outweighs it.
_USUAL_S: Final = 5.0


async def transcribe(context: WorkerContext, ticket: TurnTicket) -> TurnTicket | None:
    """Transcribe an utterance that is over; return the ticket of the LLM stage, None where nothing was said.

    Raises:
        TurnCancelled: a barge-in ended the turn.
        InstanceError, NoInstanceAvailable, StateError: no instance gave a transcript.
        AudioError: not one packet of the utterance decodes.
    """
    packed = await utterance_audio.read(context.redis, ticket.turn_id, cache=context.cache)
    wav = await decode_by_size(partial(_as_wav, ticket=ticket), packets.unpack(packed))

    async def attempt_on(attempt: Attempt, lease: Lease) -> Transcript:
        provider = context.providers.asr(lease.instance)
        asked = provider.transcribe(lease.instance, wav, ticket.language)
        heard = await metered_transcript(asked, lease.usage, seconds=lambda: _seconds_of(wav, ticket))
        if not attempt.try_win():
            return heard  # too late, but a call that went well
        return publish_transcript(context, ticket, lease, heard, wait_ms=lease.wait_ms)

    profile = CallProfile(service="asr", ticket=ticket, size=size_of(len(wav)), order=share_of(ticket))
    return following_ticket(ticket, await HedgedCall(context, profile, attempt_on).run())


def following_ticket(ticket: TurnTicket, heard: Transcript) -> TurnTicket | None:
    """Return the ticket of the stage after a transcript; None after an empty one."""
    return ticket.with_text(heard.text, heard.language) if heard.text else None


def share_of(ticket: TurnTicket) -> WaitingOrder:
    """Return the place in line of a call that counts as its device's share."""
    return WaitingOrder(sharer=ticket.device_id)


def size_of(pcm_bytes: int) -> float:
    """Return how much there is to transcribe, 1.0 for what is usual: engines take longer for long speech."""
    return max(1.0, pcm_bytes / (_USUAL_S * UPLINK_RATE_HZ * SAMPLE_BYTES))


def publish_transcript(
    context: WorkerContext, ticket: TurnTicket, lease: Lease, heard: Transcript, *, wait_ms: float
) -> Transcript:
    """Send a transcript and its times to the front; return it without noise, with its language filled in."""
    words = said(heard.text, no_speech_ratio=heard.no_speech_ratio, logprob=heard.logprob)
    if heard.text and not words.text:
        log.info("noise not answered", instance=lease.instance.name, characters=len(heard.text))
    known = words.language if words.language != "auto" else heard.language
    language = known if known != "auto" else detect_language(words.text)
    timings: dict[str, str | float] = {
        "asr_instance": lease.instance.name,
        "asr_wait_ms": round(wait_ms, 1),
        "asr_ms": round(lease.clock.elapsed_ms, 1),
    }
    reply(context, ticket, "transcript", text=words.text, timings=timings)
    return Transcript(text=words.text, language=language)


def _as_wav(coming: Sequence[bytes], ticket: TurnTicket) -> bytes:
    if not coming:
        raise AudioError("the utterance has no packet")
    decoder = UtteranceDecoder(ticket.audio_format)
    pcm = decoder.decode(coming)
    decoder.check()
    return wav_bytes(pcm, _rate_hz_of(ticket))


def _rate_hz_of(ticket: TurnTicket) -> int:
    return ticket.uplink_rate_hz if ticket.audio_format == "pcm" else UPLINK_RATE_HZ


def _seconds_of(wav: bytes, ticket: TurnTicket) -> float:
    return (len(wav) - WAV_HEADER_BYTES) / (_rate_hz_of(ticket) * SAMPLE_BYTES)

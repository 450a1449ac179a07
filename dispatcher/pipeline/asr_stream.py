"""From an utterance that is still being spoken to its transcript, the moment after it ends.

A task on the queue `asr` lives as long as the utterance. One pick over all instances decides who hears it,
by the same weights, priorities and caps as ever. An instance that streams is given the speech as it comes,
under a lease that is held for all of it; one that wants the whole gives its slot back until there is one.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog

from dispatcher.audio.opus import SAMPLE_BYTES
from dispatcher.dialogue.language import detect_language
from dispatcher.dialogue.transcript_filter import said
from dispatcher.errors import InstanceError, NoInstanceAvailable
from dispatcher.messages import UPLINK_RATE_HZ, TurnTicket
from dispatcher.pipeline.attempts import CallProfile, Runner
from dispatcher.pipeline.hedged_call import HedgedCall
from dispatcher.pipeline.incoming_speech import Speech
from dispatcher.pipeline.stage import reply
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.providers.protocols import Transcript
from dispatcher.routing.router import Lease, remaining_s
from dispatcher.turn_store.utterance_stream import UtteranceReader

log = structlog.get_logger(__name__)

# An utterance of up to so long is as good as any: Whisper pads it, and what is fixed in a call outweighs it.
_USUAL_S: Final = 5.0


class NotYet(Exception):
    """The instance that was picked wants the whole utterance, and the user still speaks (control flow)."""

    def __init__(self, instance: str) -> None:
        """Remember who was picked."""
        super().__init__(instance)
        self.instance = instance


async def hear(shared: WorkerContext, ticket: TurnTicket) -> TurnTicket:
    """Transcribe an utterance while it is spoken; return the ticket of the stage that follows.

    Raises:
        TimeoutError: the turn's deadline passed.
        InstanceError, NoInstanceAvailable, StateError, AudioError: as for a whole utterance.
    """
    async with asyncio.timeout(None) as patience:
        loop = asyncio.get_running_loop()

        def on_over(deadline_at_s: float) -> None:
            patience.reschedule(loop.time() + remaining_s(deadline_at_s))

        speech = Speech(ticket, on_over)
        following = loop.create_task(speech.follow(UtteranceReader(shared.blocking_redis, ticket.turn_id)))
        try:
            heard = await _Hearing(shared, ticket, speech).transcript()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        return speech.ticket.with_text(heard.text, heard.language)


class _Hearing:
    """The calls that are made for one utterance."""

    def __init__(self, shared: WorkerContext, ticket: TurnTicket, speech: Speech) -> None:
        self._shared = shared
        self._ticket = ticket
        self._speech = speech

    async def transcript(self) -> Transcript:
        """Return what was said: from whoever heard it live, else from whoever gets the whole of it."""
        picked = ""
        speech = self._speech
        try:
            # While the user speaks, nobody is late.
            return await self._race(CallProfile(ready_at=lambda: speech.over_at))
        except NotYet as later:
            picked = later.instance
        except (InstanceError, NoInstanceAvailable) as error:
            if speech.over or not self._may_ask_again(error):
                raise
            log.warning("nobody hears the utterance yet", reason=str(error))
        await speech.until_over()
        # The one that was picked when the user began comes first, if it has a free slot and is well: were
        # another one picked, those that want whole utterances would get less than their weight.
        return await self._race(CallProfile(first=picked, size=size_of(speech.pcm_bytes)))

    async def _race(self, course: CallProfile) -> Transcript:
        return await HedgedCall(self._shared, "asr", self._ticket, self._draft, course).run()

    def _may_ask_again(self, error: InstanceError | NoInstanceAvailable) -> bool:
        """Return whether the whole may be sent where a part of it failed; that counts as a retry."""
        if isinstance(error, NoInstanceAvailable):
            return True
        return error.retryable and self._shared.retry_budget.try_spend(time.monotonic())

    async def _draft(self, runner: Runner, lease: Lease) -> Transcript:
        speech, instance = self._speech, lease.instance
        if instance.is_streaming_asr:
            live = self._shared.providers.streaming_asr(instance)
            pieces = speech.pieces(lease.clock.restart)
            heard = await live.transcribe_stream(instance, pieces, self._ticket.language)
        elif speech.over:
            wav = await asyncio.to_thread(speech.as_wav)
            heard = await self._shared.providers.asr(instance).transcribe(
                instance, wav, self._ticket.language
            )
        else:
            raise NotYet(instance.name)
        if not runner.take_floor():
            return heard  # too late, but a call that went well
        # Who waited while the user spoke was not waited for.
        since_over_ms = (time.monotonic() - speech.over_at) * 1000
        wait_ms = min(lease.wait_ms, max(0.0, since_over_ms - lease.clock.elapsed_ms))
        return tell_transcript(self._shared, self._ticket, lease, heard, wait_ms=wait_ms)


def size_of(pcm_bytes: int) -> float:
    """Return how much there is to transcribe, 1.0 for what is usual: engines take longer for long speech."""
    return max(1.0, pcm_bytes / (_USUAL_S * UPLINK_RATE_HZ * SAMPLE_BYTES))


def tell_transcript(
    shared: WorkerContext, ticket: TurnTicket, lease: Lease, heard: Transcript, *, wait_ms: float
) -> Transcript:
    """Tell the front what was said and how long that took; return it with its language filled in."""
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
    reply(shared, ticket, "transcript", text=words.text, timings=timings)
    return Transcript(text=words.text, language=language)

"""Streaming ASR stage: from an utterance that is still spoken to its transcript, soon after it ends.

A task on the queue `asr` lives as long as the utterance. One pick over all instances decides which takes it,
by the same weights, priorities and caps as ever. An instance that streams is given the audio as it comes,
under a lease that is held for all of it; one that wants the whole gives its slot back until there is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from dispatcher.audio.opus import SAMPLE_BYTES
from dispatcher.errors import InstanceError, NoInstanceAvailable
from dispatcher.messages import UPLINK_RATE_HZ, TurnTicket
from dispatcher.pipeline.asr import following_ticket, publish_transcript, share_of, size_of
from dispatcher.pipeline.attempt import Attempt, CallProfile, at_once, now
from dispatcher.pipeline.hedged_call import HedgedCall
from dispatcher.pipeline.incoming_utterance import IncomingUtterance
from dispatcher.pipeline.usage_metering import metered_transcript
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.providers.protocols import Transcript
from dispatcher.routing.router import Lease, remaining_s
from dispatcher.turn_store.utterance_stream import UtteranceReader

log = structlog.get_logger(__name__)


class NotYet(Exception):
    """The instance that was picked wants the whole utterance, and the user still speaks (control flow)."""

    def __init__(self, instance: str) -> None:
        """Note the picked instance."""
        super().__init__(instance)
        self.instance = instance


async def transcribe_stream(context: WorkerContext, ticket: TurnTicket) -> TurnTicket | None:
    """Transcribe an utterance while it is spoken; return the ticket of the LLM stage, None without words.

    Raises:
        TimeoutError: the turn's deadline passed.
        InstanceError, NoInstanceAvailable, StateError, AudioError: as for a whole utterance.
    """
    async with asyncio.timeout(None) as deadline:

        def on_over(deadline_at_s: float) -> None:
            deadline.reschedule(now() + remaining_s(deadline_at_s))

        utterance = IncomingUtterance(ticket, on_over)
        reader = UtteranceReader(context.blocking_redis, ticket.turn_id)
        receiving = asyncio.create_task(utterance.follow(reader))
        try:
            heard = await StreamTranscription(context, ticket, utterance).run()
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
        return following_ticket(utterance.ticket, heard)


class StreamTranscription:
    """The calls that are made for one utterance."""

    def __init__(self, context: WorkerContext, ticket: TurnTicket, utterance: IncomingUtterance) -> None:
        """Prepare; nothing is asked yet."""
        self._context = context
        self._ticket = ticket
        self._utterance = utterance

    async def run(self) -> Transcript:
        """Return the transcript of an instance that took the stream, else of one that gets the whole."""
        picked = ""
        utterance = self._utterance
        try:
            # While the user speaks, no instance is late.
            return await self._call(ready_at=lambda: utterance.over_at)
        except NotYet as later:
            picked = later.instance
        except (InstanceError, NoInstanceAvailable) as error:
            if utterance.over or not self._try_ask_again(error):
                raise
            log.warning("no instance takes the utterance yet", reason=str(error))
        await utterance.until_over()
        # The one that was picked when the user began comes first, if it has a free slot and is healthy: were
        # another one picked, those that want whole utterances would get less than their weight.
        return await self._call(first=picked, size=size_of(utterance.pcm_bytes))

    async def _call(
        self, *, ready_at: Callable[[], float] = at_once, first: str = "", size: float = 1.0
    ) -> Transcript:
        profile = CallProfile(
            service="asr",
            ticket=self._ticket,
            ready_at=ready_at,
            first=first,
            size=size,
            order=share_of(self._ticket),
        )
        return await HedgedCall(self._context, profile, self._attempt_on).run()

    def _try_ask_again(self, error: InstanceError | NoInstanceAvailable) -> bool:
        """Return whether the whole may be sent where a part of it failed; that counts as a retry."""
        if isinstance(error, NoInstanceAvailable):
            return True
        return error.retryable and self._context.hedging.retry_budget.try_spend(now())

    async def _attempt_on(self, attempt: Attempt, lease: Lease) -> Transcript:
        spoken_s = partial(_seconds_of, self._utterance)
        heard = await metered_transcript(self._transcript_of(lease), lease.usage, seconds=spoken_s)
        if not attempt.try_win():
            return heard  # too late, but a call that went well
        # A wait while the user spoke was no wait.
        since_over_ms = (now() - self._utterance.over_at) * 1000
        wait_ms = min(lease.wait_ms, max(0.0, since_over_ms - lease.clock.elapsed_ms))
        return publish_transcript(self._context, self._ticket, lease, heard, wait_ms=wait_ms)

    async def _transcript_of(self, lease: Lease) -> Transcript:
        utterance, instance, language = self._utterance, lease.instance, self._ticket.language
        if instance.is_streaming_asr:
            streaming = self._context.providers.streaming_asr(instance)
            return await streaming.transcribe_stream(
                instance, utterance.pieces(lease.clock.restart), language
            )
        if not utterance.over:
            raise NotYet(instance.name)
        wav = await asyncio.to_thread(utterance.as_wav)
        return await self._context.providers.asr(instance).transcribe(instance, wav, language)


def _seconds_of(utterance: IncomingUtterance) -> float:
    return utterance.pcm_bytes / (UPLINK_RATE_HZ * SAMPLE_BYTES)

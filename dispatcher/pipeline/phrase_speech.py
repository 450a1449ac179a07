"""Speech of a worker that comes from the phrase cache, or goes into it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from dispatcher.audio import packets
from dispatcher.catalogue.model import Instance
from dispatcher.chains import spoken_language
from dispatcher.dialogue.persona import voices_of
from dispatcher.dialogue.phrases import SpokenPhrase
from dispatcher.dialogue_store.phrase_cache import CACHE_NAME, FoundPhrase, MadePhrase
from dispatcher.messages import Keep, ReplyFields, TurnTicket
from dispatcher.pipeline.attempt import now
from dispatcher.pipeline.worker_context import WorkerContext

# A phrase that another process makes is waited for, no longer than the first audio of an own call takes.
MAKING_TIMEOUT_S: Final = 1.0
MAKING_POLL_INTERVAL_S: Final = 0.02


def phrase_of(ticket: TurnTicket, text: str, *, keep: Keep) -> SpokenPhrase:
    """Return a sentence of a turn as a phrase."""
    return SpokenPhrase(
        text=text,
        language=spoken_language(ticket, text),
        audio_format=ticket.audio_format,
        is_fixed=keep == "fixed",
    )


async def find_phrase(
    context: WorkerContext, ticket: TurnTicket, text: str, *, keep: Keep, may_make: bool = False
) -> FoundPhrase:
    """Return what the cache knows of a sentence of a turn."""
    phrase = phrase_of(ticket, text, keep=keep)
    voices = voices_of(context.catalogue.conversation, ticket)
    return await context.phrases.find(phrase, context.catalogue, voices, may_make=may_make)


async def find_or_make(context: WorkerContext, ticket: TurnTicket, text: str, *, keep: Keep) -> FoundPhrase:
    """Return a phrase from the cache, or once another process has made it; else the caller is to make it."""
    give_up_at = now() + MAKING_TIMEOUT_S
    while True:
        found = await find_phrase(context, ticket, text, keep=keep, may_make=True)
        if found.finding != "theirs" or now() > give_up_at:
            return found
        await asyncio.sleep(MAKING_POLL_INTERVAL_S)


def played(found: FoundPhrase, index: int) -> ReplyFields:
    """Return a phrase of the cache as the reply with all of a sentence's audio."""
    return ReplyFields(index=index, packets=found.packed, text=CACHE_NAME, last=True, timings=found.timings)


class PhraseMaking:
    """One phrase that is made to be kept."""

    def __init__(
        self, context: WorkerContext, ticket: TurnTicket, text: str, *, keep: Keep, token: str
    ) -> None:
        """Begin to count the time that it takes; `token` is that of the cache's answer "mine", or empty."""
        self._context = context
        self._phrase = phrase_of(ticket, text, keep=keep)
        self._voices = voices_of(context.catalogue.conversation, ticket)
        self._token = token
        self._began_at = now()
        self._speakers: list[Instance] = []
        self._packets: list[bytes] = []
        self._is_stored = False

    def begin(self, speaker: Instance) -> None:
        """Note who speaks from here on, with the voice that it has."""
        self._speakers.append(speaker)

    def add(self, made: Sequence[bytes]) -> None:
        """Take in the next packets."""
        self._packets += made

    async def store(self) -> None:
        """Keep the phrase, unless two voices are in it."""
        if len(self._speakers) == 1:
            made = MadePhrase(
                phrase=self._phrase,
                speaker=self._speakers[0],
                packed=packets.pack(self._packets),
                took_ms=(now() - self._began_at) * 1000,
            )
            self._is_stored = await self._context.phrases.store(made, self._context.catalogue, self._voices)

    def end(self) -> None:
        """Let another process make it, where it was not kept."""
        if self._token and not self._is_stored:
            catalogue = self._context.catalogue
            self._context.phrases.give_up(self._phrase, catalogue, self._voices, token=self._token)

"""Phrases that a turn speaks without an LLM: greeting, filler and apology, kept ones where there are any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dispatcher import chains
from dispatcher.audio import packets
from dispatcher.dialogue.persona import voices_of
from dispatcher.dialogue.phrases import SpokenPhrase
from dispatcher.dialogue_store.phrase_cache import CACHE_NAME, FoundPhrase
from dispatcher.front.connection.apology import Kind
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.playback import Player
from dispatcher.messages import Keep, Language, Reply, TurnTicket


class TurnPhrases:
    """Phrases of one turn, in the voice of the device's persona where the cache has them."""

    def __init__(self, context: FrontContext, ticket: TurnTicket, on_reply: Callable[[Reply], None]) -> None:
        """Speak nothing yet; `on_reply` takes speech that no task has to make."""
        self._context = context
        self._ticket = ticket
        self._on_reply = on_reply
        self._filler_text = ""

    async def speak(self, ticket: TurnTicket, index: int, text: str) -> int:
        """Take a phrase from the cache, else have it made and kept; return the length of the TTS queue.

        Raises:
            StateError: the broker is out of reach.
        """
        keep: Keep = ""
        if self._context.catalogue.phrase_cache.is_on:
            found = await self._find(text, chains.spoken_language(ticket, text))
            if found.finding == "hit":
                reply = Reply(turn_id=ticket.turn_id, attempt=ticket.attempt, kind="audio", index=index)
                self._on_reply(
                    replace(reply, packets=found.packed, text=CACHE_NAME, last=True, timings=found.timings)
                )
                return 0
            keep = "fixed" if found.finding == "keep" else ""
        return await chains.synthesize(self._context.redis, ticket, index=index, text=text, keep=keep)

    def choose_filler(self, *, said: str) -> str:
        """Return a filler in the user's language, another one in another turn; empty where it has none."""
        language = self._context.apologies.language(self._ticket, said=said)
        phrases = self._context.catalogue.conversation.filler.phrases.get(language, ())
        self._filler_text = phrases[sum(self._ticket.turn_id.encode()) % len(phrases)] if phrases else ""
        return self._filler_text

    def take_filler_text(self) -> list[str]:
        """Return the text of the filler, once."""
        text, self._filler_text = self._filler_text, ""
        return [text] if text else []

    def apologise(self, kind: Kind, player: Player, *, said: str, on_cached: Callable[[], None]) -> None:
        """Play an apology, with which the turn ends: where the cache does not have it, as it was recorded.

        Args:
            kind: of the apology; that of an answer that was cut is no part of the answer.
            player: of the turn.
            said: tells the language of the user.
            on_cached: called where the cache has it.
        """
        language = self._context.apologies.language(self._ticket, said=said)
        text, recorded = self._context.apologies.recorded(kind, language, self._ticket.audio_format)

        def say(phrase: list[bytes]) -> None:
            player.add(text, *phrase, is_answer=kind != "cut")
            player.finish()

        async def say_in_own_voice() -> None:
            found = await self._find(text, language)
            if is_kept := found.finding == "hit":
                on_cached()
            say(packets.unpack(found.packed) if is_kept else recorded)

        if self._context.catalogue.phrase_cache.is_on:
            self._context.spawn(say_in_own_voice())
        else:
            say(recorded)

    async def _find(self, text: str, language: Language) -> FoundPhrase:
        catalogue, audio_format = self._context.catalogue, self._ticket.audio_format
        phrase = SpokenPhrase(text=text, language=language, audio_format=audio_format, is_fixed=True)
        voices = voices_of(catalogue.conversation, self._ticket)
        return await self._context.phrases.find(phrase, catalogue, voices)

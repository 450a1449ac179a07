"""Filling of the phrase cache: what is said without an LLM is made before it is wanted.

An apology is wanted when no TTS answers, so that it has to be there before. One phrase at a time goes to the
TTS queue while that is empty; one that is not made, or only by a stand-in, is tried again after an hour.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from dispatcher import chains
from dispatcher.catalogue.conversation import Conversation
from dispatcher.catalogue.model import Catalogue
from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.dialogue.language import detect_language
from dispatcher.dialogue.persona import Character, character, voices_of
from dispatcher.dialogue.phrases import SpokenPhrase, digests
from dispatcher.dialogue_store.phrase_cache import PhraseCache
from dispatcher.errors import StateError
from dispatcher.messages import Language, TurnTicket
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import read_overview

log = structlog.get_logger(__name__)

FILLING_INTERVAL_S: Final = 3.0
# Once all is there, and where the cache is off.
RESTING_INTERVAL_S: Final = 30.0
FILLING_TIMEOUT_S: Final = 20.0
RETRY_AFTER_S: Final = 3600.0
# More personas than that have their phrases made when they are first said.
MOST_PERSONAS: Final = 20
# Nobody reads it, and workers write to no stream that is not there.
NO_FRONT: Final = keys.reply_stream("nobody")
_LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseFiller:
    """The filling by one control worker.

    Attributes:
        catalogue: returns the active one.
        tried_at_s: when a phrase was tried last that is not there in the usual voice, by its first digest: a
            voice that the YAML changes is tried at once.
    """

    redis: RedisClient
    phrases: PhraseCache
    catalogue: Callable[[], Catalogue]
    tried_at_s: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Fill for ever."""
        while True:
            is_filling = False
            try:
                is_filling = await self.fill_one(now_s=time.monotonic())
            except StateError as error:
                log.warning("phrases not filled", reason=str(error))
            await asyncio.sleep(FILLING_INTERVAL_S if is_filling else RESTING_INTERVAL_S)

    async def fill_one(self, *, now_s: float) -> bool:
        """Have one missing phrase made; return whether there is more to do.

        Raises:
            StateError: Redis or the cache is out of reach.
        """
        catalogue = self.catalogue()
        if not catalogue.phrase_cache.is_on:
            return False
        if await self.redis.execute("LLEN", "tts"):
            return True
        for name, persona in personas(catalogue.conversation):
            wanted = fixed_phrases(catalogue.conversation, persona)
            for phrase in await self.phrases.find_missing(wanted, catalogue, persona.voices):
                tried_at_s = self.tried_at_s.get(_first_digest(phrase, catalogue, persona.voices))
                if tried_at_s is None or now_s - tried_at_s >= RETRY_AFTER_S:
                    return await self._make(name, phrase, now_s)
        return False

    async def _make(self, persona: str, phrase: SpokenPhrase, now_s: float) -> bool:
        """Send a phrase to be made, and wait until it is there; else it rests for a while."""
        ticket = TurnTicket(
            turn_id=f"phrase-{uuid.uuid4().hex}",
            attempt=1,
            device_id="",
            reply_stream=NO_FRONT,
            deadline_at_s=time.time() + FILLING_TIMEOUT_S,
            language=phrase.language,
            persona=persona,
        )
        await chains.synthesize(self.redis, ticket, index=0, text=phrase.text, keep="fixed")
        catalogue = self.catalogue()
        voices = voices_of(catalogue.conversation, ticket)
        for _ in range(round(FILLING_TIMEOUT_S)):
            await asyncio.sleep(1)
            if not await self.phrases.find_missing([phrase], catalogue, voices):
                break
        # As a sentence it is looked up in the usual voice alone: what a stand-in spoke rests as well.
        has_failed = await self.phrases.find_missing([replace(phrase, is_fixed=False)], catalogue, voices)
        if has_failed and await self._tts_takes_calls():
            self.tried_at_s[_first_digest(phrase, catalogue, voices)] = now_s
        return True

    async def _tts_takes_calls(self) -> bool:
        """Return whether a TTS takes calls; one that still loads fails its checks."""
        instances = (await read_overview(self.redis)).instances
        return any(each.service == "tts" and each.is_usable and each.check_run >= 0 for each in instances)


def _first_digest(phrase: SpokenPhrase, catalogue: Catalogue, voices: Mapping[str, str]) -> str:
    return digests(phrase, catalogue.services["tts"].instances, voices)[0]


def personas(rules: Conversation) -> Iterator[tuple[str, Character]]:
    """Yield the default and each persona by its name, at most `MOST_PERSONAS`."""
    for name in ("", *rules.persona_names)[:MOST_PERSONAS]:
        yield name, character(rules, "", chosen=name)


def fixed_phrases(rules: Conversation, persona: Character) -> tuple[SpokenPhrase, ...]:
    """Return what a persona says without an LLM: apologies, fillers and its greeting."""
    spoken = persona.language or rules.default_language
    languages = _LANGUAGES if spoken == "auto" else (spoken,)
    texts = [
        *((language, text) for (kind, language), text in APOLOGIES.items() if kind != "admit"),
        *((language, text) for language in languages for text in rules.filler.phrases.get(language, ())),
    ]
    wanted = [(language, text) for language, text in texts if language in languages]
    if persona.greeting:
        greeted = detect_language(persona.greeting) if spoken == "auto" else spoken
        wanted.append((greeted, persona.greeting))
    return tuple(SpokenPhrase(text=text, language=language, is_fixed=True) for language, text in wanted)

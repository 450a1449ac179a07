"""Filling of the phrase cache before its phrases are wanted."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.audio import packets
from dispatcher.catalogue.conversation import Conversation, FillerRules
from dispatcher.catalogue.model import NO_PHRASES, Catalogue, Instance, PhraseRules, ServiceConfig
from dispatcher.catalogue.personas import Persona
from dispatcher.control.phrase_filling import (
    MOST_PERSONAS,
    NO_FRONT,
    RETRY_AFTER_S,
    PhraseFiller,
    fixed_phrases,
    personas,
)
from dispatcher.dialogue.persona import character
from dispatcher.dialogue_store.phrase_cache import MadePhrase, PhraseCache
from dispatcher.redis_client.client import RedisClient

VOICE = Instance(service="tts", name="usual", endpoint="http://127.0.0.1:9", voice="nova")
FILLERS = FillerRules(phrases={"en": ("Let me see.",), "zh": ()})
RULES = Conversation(language="en", greeting="Hi.", filler=FILLERS)
ON = Catalogue(
    path="",
    services={"tts": ServiceConfig(service="tts", algorithm="round_robin", instances=(VOICE,))},
    conversation=RULES,
    phrase_cache=PhraseRules(),
)


def texts(rules: Conversation, chosen: str = "") -> list[str]:
    return [each.text for each in fixed_phrases(rules, character(rules, "", chosen=chosen))]


def test_apologies_fillers_and_greeting_are_in_the_language_of_the_persona() -> None:
    assert texts(RULES)[-2:] == ["Let me see.", "Hi."]
    assert len(texts(RULES)) == 5
    both = replace(RULES, language="auto")
    assert len(texts(both)) == 8
    (hello,) = (each for each in fixed_phrases(both, character(both, "")) if each.text == "Hi.")
    assert hello.language == "en"
    kids = replace(RULES, personas={"kids": Persona(language="zh", greeting="你好")})
    assert texts(kids, "kids")[-1] == "你好"
    assert len(texts(kids, "kids")) == 4


def test_only_so_many_personas_are_filled() -> None:
    many = replace(RULES, personas={f"p{number}": Persona() for number in range(50)})
    assert len(list(personas(many))) == MOST_PERSONAS


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds of waiting take no time."""
    sleep = asyncio.sleep
    monkeypatch.setattr("asyncio.sleep", lambda _: sleep(0.01))


async def made(redis: RedisClient, cache: PhraseCache, **fields: Any) -> dict[str, Any]:
    """Make the phrase that is sent next, as a TTS worker does, and return its ticket."""
    while not (message := await redis.execute("RPOP", "tts")):  # noqa: ASYNC110  it is in Redis
        await asyncio.sleep(0.01)
    ticket, index, text, keep = json.loads(json.loads(message)["body"])[0]
    assert (index, keep) == (0, "fixed")
    (phrase,) = (each for each in fixed_phrases(RULES, character(RULES, "")) if each.text == text)
    done = MadePhrase(phrase=phrase, speaker=VOICE, packed=packets.pack([b"one"]), took_ms=1, **fields)
    await cache.store(done, ON, {})
    return dict(ticket)


@pytest.mark.usefixtures("quick")
async def test_missing_phrases_are_made_one_after_the_other_until_all_are_there(redis: RedisClient) -> None:
    cache = PhraseCache(redis, redis)
    filler = PhraseFiller(redis=redis, phrases=cache, catalogue=lambda: ON)
    for _ in range(5):
        is_filling, ticket = await asyncio.gather(filler.fill_one(now_s=0), made(redis, cache))
        assert is_filling
        assert (ticket["language"], ticket["reply_stream"]) == ("en", NO_FRONT)
    assert not await filler.fill_one(now_s=0)
    assert not await redis.execute("LLEN", "tts")


@pytest.mark.usefixtures("quick")
async def test_a_language_that_a_voice_does_not_speak_is_tried_again_an_hour_later(
    redis: RedisClient,
) -> None:
    filler = PhraseFiller(redis=redis, phrases=PhraseCache(redis, redis), catalogue=lambda: ON)
    assert await filler.fill_one(now_s=10)
    assert await filler.fill_one(now_s=20), "the queue is not empty"
    await redis.execute("DEL", "tts")
    assert not await filler.fill_one(now_s=30)
    assert await filler.fill_one(now_s=10 + RETRY_AFTER_S)
    assert await redis.execute("LLEN", "tts") == 1


async def test_a_cache_that_is_off_is_not_filled(redis: RedisClient) -> None:
    off = replace(ON, phrase_cache=NO_PHRASES)
    filler = PhraseFiller(redis=redis, phrases=PhraseCache(redis, redis), catalogue=lambda: off)
    assert not await filler.fill_one(now_s=0)
    assert not await redis.execute("EXISTS", "tts")

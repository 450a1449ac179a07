"""Filling of the phrase cache before its phrases are wanted."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.audio import packets
from dispatcher.catalogue.conversation import Conversation, FillerRules
from dispatcher.catalogue.model import (
    NO_PHRASES,
    Catalogue,
    HealthRules,
    Instance,
    PhraseRules,
    ServiceConfig,
)
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
from dispatcher.dialogue.phrases import STAND_IN_TTL_S
from dispatcher.dialogue_store.phrase_cache import MadePhrase, PhraseCache
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from tests.support.fleet import catalogue_of

VOICE = Instance(service="tts", name="usual", endpoint="http://127.0.0.1:9", voice="nova")
FILLERS = FillerRules(phrases={"en": ("Let me see.",), "zh": ()})
RULES = Conversation(language="en", greeting="Hi.", filler=FILLERS)
SPARE = replace(VOICE, name="spare", priority="standby", voice="other")


def with_voices(*instances: Instance) -> Catalogue:
    tts = ServiceConfig(service="tts", algorithm="round_robin", instances=instances)
    services = {**catalogue_of("round_robin", ()).services, "tts": tts}
    return Catalogue(path="", services=services, conversation=RULES, phrase_cache=PhraseRules())


ON = with_voices(VOICE)


def texts(rules: Conversation, chosen: str = "") -> list[str]:
    return [each.text for each in fixed_phrases(rules, character(rules, "", chosen=chosen))]


def test_apologies_fillers_and_greeting_are_in_the_language_of_the_persona() -> None:
    assert texts(RULES)[-2:] == ["Let me see.", "Hi."]
    assert len(texts(RULES)) == 7
    both = replace(RULES, language="auto")
    assert len(texts(both)) == 12
    (hello,) = (each for each in fixed_phrases(both, character(both, "")) if each.text == "Hi.")
    assert hello.language == "en"
    kids = replace(RULES, personas={"kids": Persona(language="zh", greeting="你好")})
    assert texts(kids, "kids")[-1] == "你好"
    assert len(texts(kids, "kids")) == 6


def test_only_so_many_personas_are_filled() -> None:
    many = replace(RULES, personas={f"p{number}": Persona() for number in range(50)})
    assert len(list(personas(many))) == MOST_PERSONAS


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds of waiting take no time."""
    sleep = asyncio.sleep
    monkeypatch.setattr("asyncio.sleep", lambda _: sleep(0.01))


async def tried(filler: PhraseFiller, *, now_s: float) -> bool:
    """Fill while no worker makes anything; return whether a phrase was sent to be made."""
    await filler.fill_one(now_s=now_s)
    sent = await filler.redis.execute("LLEN", "tts")
    await filler.redis.execute("DEL", "tts")
    return bool(sent)


async def made(
    redis: RedisClient, cache: PhraseCache, *, catalogue: Catalogue = ON, speaker: Instance = VOICE
) -> dict[str, Any]:
    """Make the phrase that is sent next, as a TTS worker does, and return its ticket."""
    while not (message := await redis.execute("RPOP", "tts")):  # noqa: ASYNC110  it is in Redis
        await asyncio.sleep(0.01)
    ticket, index, text, keep = json.loads(json.loads(message)["body"])[0]
    assert (index, keep) == (0, "fixed")
    (phrase,) = (each for each in fixed_phrases(RULES, character(RULES, "")) if each.text == text)
    done = MadePhrase(phrase=phrase, speaker=speaker, packed=packets.pack([b"one"]), took_ms=1)
    await cache.store(done, catalogue, {})
    return dict(ticket)


@pytest.mark.usefixtures("quick")
async def test_missing_phrases_are_made_one_after_the_other_until_all_are_there(redis: RedisClient) -> None:
    cache = PhraseCache(redis, redis)
    filler = PhraseFiller(redis=redis, phrases=cache, catalogue=lambda: ON)
    for _ in range(7):
        is_filling, ticket = await asyncio.gather(filler.fill_one(now_s=0), made(redis, cache))
        assert is_filling
        assert (ticket["language"], ticket["reply_stream"]) == ("en", NO_FRONT)
    assert not await filler.fill_one(now_s=0)
    assert not await redis.execute("LLEN", "tts")


@pytest.mark.usefixtures("quick")
async def test_a_phrase_that_a_voice_does_not_speak_is_tried_again_an_hour_later(redis: RedisClient) -> None:
    await instance_table.publish(redis, ON)
    current = [ON]
    filler = PhraseFiller(redis=redis, phrases=PhraseCache(redis, redis), catalogue=lambda: current[0])
    assert await tried(filler, now_s=10)
    await redis.execute("LPUSH", "tts", "of a turn")
    assert await filler.fill_one(now_s=20), "the queue is not empty"
    await redis.execute("DEL", "tts")
    assert all([await tried(filler, now_s=30) for _ in range(6)]), "the other phrases"
    assert not await tried(filler, now_s=40)
    current[0] = with_voices(replace(VOICE, voice="mended"))
    assert await tried(filler, now_s=50), "another voice may speak it"
    current[0] = ON
    assert await tried(filler, now_s=10 + RETRY_AFTER_S)


@pytest.mark.usefixtures("quick")
async def test_a_phrase_is_tried_on_while_no_tts_is_healthy(redis: RedisClient) -> None:
    await instance_table.publish(redis, ON)
    await instance_table.note_check(redis, VOICE, reason="still loading", rules=HealthRules())
    filler = PhraseFiller(redis=redis, phrases=PhraseCache(redis, redis), catalogue=lambda: ON)
    assert all([await tried(filler, now_s=now_s) for now_s in range(10)])
    assert not filler.tried_at_s


@pytest.mark.usefixtures("quick")
async def test_what_a_stand_in_spoke_is_not_made_again_within_the_hour(redis: RedisClient) -> None:
    both = with_voices(VOICE, SPARE)
    await instance_table.publish(redis, both)
    cache = PhraseCache(redis, redis)
    filler = PhraseFiller(redis=redis, phrases=cache, catalogue=lambda: both)
    for _ in range(7):
        await asyncio.gather(filler.fill_one(now_s=0), made(redis, cache, catalogue=both, speaker=SPARE))
    for key in await redis.execute("KEYS", "*"):
        if b"phrase" in key:
            await redis.execute("DEL", key)
    assert not await filler.fill_one(now_s=STAND_IN_TTL_S)
    assert await tried(filler, now_s=RETRY_AFTER_S)


async def test_a_cache_that_is_off_is_not_filled(redis: RedisClient) -> None:
    off = replace(ON, phrase_cache=NO_PHRASES)
    filler = PhraseFiller(redis=redis, phrases=PhraseCache(redis, redis), catalogue=lambda: off)
    assert not await filler.fill_one(now_s=0)
    assert not await redis.execute("EXISTS", "tts")

"""Phrase cache in a real Redis: hits, who makes a phrase, the budget, and entries that are none."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dispatcher.audio import packets
from dispatcher.catalogue.model import Catalogue, Instance, PhraseRules, ServiceConfig
from dispatcher.dialogue.phrases import NAMELESS_TTL_S, PHRASE_TTL_S, STAND_IN_TTL_S, SpokenPhrase, digest
from dispatcher.dialogue_store import phrase_cache
from dispatcher.dialogue_store.phrase_cache import EXTRA_OVERRIDE, MadePhrase, PhraseCache
from dispatcher.dialogue_store.phrase_figures import MB, PhraseFigures, read_figures, read_figures_if_there
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from tests.support.processes import free_port

USUAL = Instance(
    service="tts", name="usual", endpoint="http://127.0.0.1:9", provider="edge_tts", voice="nova"
)
SPARE = replace(USUAL, name="spare", priority="standby", voice="other")
HELLO = SpokenPhrase(text="Hello there.", language="en", is_fixed=True)
SENTENCE = SpokenPhrase(text="It is nine.", language="en")
SOUND = packets.pack([b"first packet", b"second packet"])


def catalogue_with(*instances: Instance, **rules: float | bool) -> Catalogue:
    service = ServiceConfig(service="tts", algorithm="round_robin", instances=instances or (USUAL, SPARE))
    return Catalogue(path="", services={"tts": service}, phrase_cache=PhraseRules(**rules))  # type: ignore[arg-type]


ON = catalogue_with()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no unreachable cache."""
    monkeypatch.setattr(phrase_cache, "FIND_TIMEOUT_S", 10.0)


@pytest.fixture
def cache(redis: RedisClient) -> PhraseCache:
    """The cache of one process."""
    return PhraseCache(redis, redis)


async def found(cache: PhraseCache, phrase: SpokenPhrase, catalogue: Catalogue = ON) -> str:
    return (await cache.find(phrase, catalogue, {})).finding


async def store(
    cache: PhraseCache,
    phrase: SpokenPhrase,
    packed: bytes = SOUND,
    *,
    catalogue: Catalogue = ON,
    speaker: Instance = USUAL,
) -> bool:
    made = MadePhrase(phrase=phrase, speaker=speaker, packed=packed, took_ms=800)
    return await cache.store(made, catalogue, {})


async def test_a_fixed_phrase_is_worth_keeping_at_once_and_found_from_then_on(cache: PhraseCache) -> None:
    assert await found(cache, HELLO) == "keep"
    assert await store(cache, HELLO)
    answer = await cache.find(HELLO, ON, {})
    assert (answer.finding, answer.packed) == ("hit", SOUND)
    assert answer.timings["tts_instance"] == "phrase-cache"


async def test_a_sentence_is_worth_keeping_when_it_is_said_a_second_time(
    cache: PhraseCache, redis: RedisClient
) -> None:
    assert [await found(cache, SENTENCE) for _ in range(3)] == ["pass", "keep", "keep"]
    assert 0 < await redis.execute("TTL", keys.phrases("said")) <= PHRASE_TTL_S
    assert not any(b"nine" in key for key in await redis.execute("KEYS", "*"))


async def test_a_sentence_that_comes_again_after_an_hour_is_new(
    cache: PhraseCache, redis: RedisClient
) -> None:
    await found(cache, SENTENCE)
    await redis.execute("ZADD", keys.phrases("said"), 1, keys.phrase(digest(SENTENCE, USUAL)))
    assert await found(cache, SENTENCE) == "pass"


async def test_a_cache_that_is_off_or_keeps_no_sentences_asks_nothing(
    cache: PhraseCache, redis: RedisClient
) -> None:
    off, fixed_only = catalogue_with(max_mb=0.0), catalogue_with(sentences=False)
    assert [await found(cache, HELLO, off), await found(cache, SENTENCE, fixed_only)] == ["pass", "pass"]
    assert await redis.execute("DBSIZE") == 0
    assert await found(cache, HELLO, fixed_only) == "keep"


async def test_one_process_makes_a_phrase_and_the_others_wait(redis: RedisClient) -> None:
    processes = [PhraseCache(redis, redis) for _ in range(5)]
    asked = [each.find(HELLO, ON, {}, may_make=True) for each in processes]
    findings = [each.finding for each in await asyncio.gather(*asked)]
    assert sorted(findings) == ["mine", *["theirs"] * 4]
    await store(processes[findings.index("mine")], HELLO)
    assert await found(processes[0], HELLO) == "hit"
    assert not await redis.execute("EXISTS", keys.phrases(f"making:{digest(HELLO, USUAL)}"))


async def test_who_could_not_make_a_phrase_leaves_it_to_the_next(redis: RedisClient) -> None:
    one, two = PhraseCache(redis, redis), PhraseCache(redis, redis)
    mine = await one.find(HELLO, ON, {}, may_make=True)
    assert mine.finding == "mine"
    assert (await one.find(HELLO, ON, {}, may_make=True)).finding == "theirs"
    for token in ("", "of another"):
        two.give_up(HELLO, ON, {}, token=token)
        assert (await two.find(HELLO, ON, {}, may_make=True)).finding == "theirs"
    one.give_up(HELLO, ON, {}, token=mine.token)
    assert (await two.find(HELLO, ON, {}, may_make=True)).finding == "mine"


async def test_another_voice_persona_or_provider_finds_nothing_of_the_old_one(cache: PhraseCache) -> None:
    await store(cache, HELLO)
    assert (await cache.find(HELLO, ON, {"*": "kids"})).finding == "keep"
    for changed in (replace(USUAL, voice="new"), replace(USUAL, model="new"), replace(USUAL, language="zh")):
        assert await found(cache, HELLO, catalogue_with(changed)) == "keep"
    assert await found(cache, replace(HELLO, language="zh")) == "keep"


async def test_what_a_stand_in_spoke_is_found_and_soon_made_again(
    cache: PhraseCache, redis: RedisClient
) -> None:
    await store(cache, HELLO, catalogue=ON, speaker=SPARE)
    assert await found(cache, HELLO) == "hit"
    ttl_s = await redis.execute("TTL", keys.phrase(digest(HELLO, SPARE)))
    assert 0 < ttl_s <= STAND_IN_TTL_S
    await store(cache, HELLO)
    assert await redis.execute("TTL", keys.phrase(digest(HELLO, USUAL))) > STAND_IN_TTL_S


async def test_a_sentence_of_a_stand_in_is_not_played_beside_the_usual_voice(cache: PhraseCache) -> None:
    assert not await store(cache, SENTENCE, speaker=SPARE)
    assert await store(cache, SENTENCE, catalogue=catalogue_with(SPARE), speaker=SPARE)
    assert await found(cache, SENTENCE) != "hit"
    assert await found(cache, SENTENCE, catalogue_with(SPARE)) == "hit"


async def test_the_only_configured_instance_is_the_usual_one(cache: PhraseCache, redis: RedisClient) -> None:
    paid = replace(USUAL, name="paid", priority="high", api_key_env="NOT_SET_ANYWHERE", voice="paid")
    both = catalogue_with(paid, USUAL)
    await store(cache, HELLO, catalogue=both, speaker=USUAL)
    assert await redis.execute("TTL", keys.phrase(digest(HELLO, USUAL))) > STAND_IN_TTL_S
    assert await store(cache, SENTENCE, catalogue=both)
    assert await found(cache, SENTENCE, both) == "hit"
    assert await found(cache, SENTENCE, catalogue_with(paid)) != "hit"


async def test_the_least_used_sentences_make_room_and_fixed_phrases_stay(
    cache: PhraseCache, redis: RedisClient
) -> None:
    small = catalogue_with(max_mb=0.1)
    sound = packets.pack([b"x" * 10_000])
    sentences = [SpokenPhrase(text=f"sentence {number}", language="en") for number in range(12)]
    await store(cache, HELLO, sound, catalogue=small)
    for sentence in sentences[:8]:
        await store(cache, sentence, sound, catalogue=small)
    for _ in range(3):
        assert await found(cache, sentences[0], small) == "hit"
    for sentence in sentences[8:]:
        assert await store(cache, sentence, sound, catalogue=small)
    figures = await read_figures(redis)
    assert figures.used_bytes <= 0.1 * MB
    assert figures.evicted == 4
    assert figures.evicted_bytes > 0
    assert await found(cache, HELLO, small) == "hit"
    assert await found(cache, sentences[0], small) == "hit"
    assert await found(cache, sentences[1], small) != "hit"


async def test_a_phrase_that_would_fill_the_cache_alone_is_not_kept(cache: PhraseCache) -> None:
    assert not await store(cache, HELLO, packets.pack([b"x" * 60_000]), catalogue=catalogue_with(max_mb=0.4))
    assert not await store(cache, HELLO, b"")


async def test_the_tuner_adds_to_the_budget_of_the_file(cache: PhraseCache, redis: RedisClient) -> None:
    tiny = catalogue_with(max_mb=0.0001)
    await redis.execute("HSET", keys.OVERRIDES, EXTRA_OVERRIDE, "plenty")
    assert not await store(cache, HELLO, catalogue=tiny)
    await redis.execute("HSET", keys.OVERRIDES, EXTRA_OVERRIDE, "0.1")
    assert await store(cache, HELLO, catalogue=tiny)


@pytest.mark.parametrize(
    "entry",
    [
        ("SET", "not a hash"),
        ("HSET", "packets", b"\x00\x09short", "took_ms", "1"),
        ("HSET", "packets", b"\x00\x00", "took_ms", "1"),
        ("HSET", "packets", SOUND, "took_ms", "soon"),
        ("HSET", "took_ms", "1"),
    ],
)
async def test_an_entry_that_is_no_speech_is_removed_and_made_again(
    cache: PhraseCache, redis: RedisClient, entry: tuple[str, ...]
) -> None:
    await store(cache, HELLO)
    name = keys.phrase(digest(HELLO, USUAL))
    await redis.execute("DEL", name)
    await redis.execute(entry[0], name, *entry[1:])
    assert await found(cache, HELLO) == "keep"
    assert await found(cache, HELLO) == "keep"
    assert await store(cache, HELLO)
    assert await found(cache, HELLO) == "hit"


async def test_a_lost_index_costs_the_phrases_and_no_more(cache: PhraseCache, redis: RedisClient) -> None:
    await store(cache, HELLO)
    await redis.execute("DEL", keys.phrases("use"), keys.phrases("sizes"))
    assert await found(cache, HELLO) == "hit"
    assert (await read_figures(redis)).used_bytes == len(SOUND), "its bytes count once"
    await redis.execute("DEL", keys.phrases("use"))
    await redis.execute("HSET", keys.phrases("figures"), "bytes", 999_000_000)
    assert not await store(cache, SENTENCE)
    assert await store(cache, SENTENCE)
    assert (await read_figures(redis)).used_bytes == len(SOUND)


async def test_a_hit_renews_the_index_as_well(cache: PhraseCache, redis: RedisClient) -> None:
    await store(cache, HELLO)
    for key in (keys.phrases("use"), keys.phrases("sizes")):
        await redis.execute("EXPIRE", key, 60)
        assert await found(cache, HELLO) == "hit"
        assert await redis.execute("TTL", key) > 60


async def test_clearing_removes_sound_and_digests(cache: PhraseCache, redis: RedisClient) -> None:
    await store(cache, HELLO)
    await found(cache, SENTENCE)
    assert await phrase_cache.clear(redis) == len(SOUND)
    assert await redis.execute("KEYS", "*") == [keys.phrases("figures").encode()]
    assert await found(cache, HELLO) == "keep"


async def test_figures_tell_hits_and_what_a_megabyte_is_worth(cache: PhraseCache, redis: RedisClient) -> None:
    assert await read_figures(redis) == PhraseFigures()
    await found(cache, HELLO)
    await store(cache, HELLO, packets.pack([b"x" * 50_000]))
    for _ in range(3):
        await found(cache, HELLO)
    figures = await read_figures(redis)
    assert (figures.hits, figures.misses, figures.stored) == (3, 1, 1)
    assert figures.saved_s == pytest.approx(2.4, rel=0.01)
    assert figures.saved_s_per_mb == pytest.approx(2.4 / 0.05, rel=0.01)


async def test_missing_phrases_are_told_and_the_others_live_on(
    cache: PhraseCache, redis: RedisClient
) -> None:
    await store(cache, HELLO)
    name = keys.phrase(digest(HELLO, USUAL))
    await redis.execute("EXPIRE", name, 2 * NAMELESS_TTL_S)
    await store(cache, replace(HELLO, text="Hi."), catalogue=ON, speaker=SPARE)
    other = replace(HELLO, text="Something else.")
    assert await cache.find_missing([HELLO, replace(HELLO, text="Hi."), other], ON, {}) == [other]
    assert await redis.execute("TTL", name) > 2 * NAMELESS_TTL_S
    assert (
        await redis.execute("TTL", keys.phrase(digest(replace(HELLO, text="Hi."), SPARE))) <= STAND_IN_TTL_S
    )


async def test_an_unreachable_cache_is_as_none_and_left_alone_for_a_while(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phrase_cache, "FIND_TIMEOUT_S", 0.05)
    away = RedisClient(connect(f"redis://127.0.0.1:{free_port()}/0"), reconnect_timeout_s=0.3)
    cache = PhraseCache(redis, away)
    assert await found(cache, HELLO) == "pass"
    monkeypatch.setattr(away, "run", None)
    assert await found(cache, HELLO) == "pass"
    cache.give_up(HELLO, ON, {}, token="of a process")
    cache.drop(["a"])
    assert await read_figures_if_there(RedisClient(connect(f"redis://127.0.0.1:{free_port()}/0"))) is None
    await away.close()


async def test_what_cannot_be_kept_is_said_so(redis: RedisClient) -> None:
    away = RedisClient(connect(f"redis://127.0.0.1:{free_port()}/0"))
    assert not await store(PhraseCache(redis, away), HELLO)
    await away.close()


async def test_the_nameless_voice_of_a_server_is_heard_again_after_an_hour(
    cache: PhraseCache, redis: RedisClient
) -> None:
    nameless = replace(USUAL, voice=None)
    on = catalogue_with(nameless)
    await store(cache, HELLO, catalogue=on, speaker=nameless)
    assert await found(cache, HELLO, on) == "hit"
    assert await cache.find_missing([HELLO], on, {}) == []
    assert await redis.execute("TTL", keys.phrase(digest(HELLO, nameless))) <= NAMELESS_TTL_S

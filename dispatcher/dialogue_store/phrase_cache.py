"""Phrase cache: packets of phrases that were said before, under a byte budget, least used first out.

It lies in the cache Redis. Where that is unreachable or slow a phrase is made as if there were no cache.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, cast

import structlog

from dispatcher.audio import packets
from dispatcher.catalogue.model import Catalogue, Instance
from dispatcher.catalogue.required_keys import what_is_missing
from dispatcher.dialogue import phrases as constants
from dispatcher.dialogue.phrases import (
    PHRASE_TTL_S,
    SpokenPhrase,
    digest,
    digests,
    ttl_s,
    usual_instances,
)
from dispatcher.dialogue_store.phrase_figures import MB
from dispatcher.errors import AudioError, StateError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.lua_script import Script, Value

log = structlog.get_logger(__name__)

Finding = Literal["hit", "mine", "theirs", "keep", "pass"]

# Shown as the instance of a sentence that none had to speak.
CACHE_NAME: Final = "phrase-cache"
# A cache that does not answer within this is left alone for a while: the phrase is wanted now.
FIND_TIMEOUT_S: Final = 0.25
SKIP_AFTER_FAILURE_S: Final = 5.0
# Megabytes that the tuner adds to `max_mb` (dispatcher/control/overrides.py).
EXTRA_OVERRIDE: Final = "phrase_cache_extra_mb"

_SHARED: Final = ("dispatcher.dialogue_store", "clock", "phrase_use")
_FIND: Final = Script.load(*_SHARED, "phrase_find", constants=constants, repeatable=True)
_STORE: Final = Script.load(*_SHARED, "phrase_store", constants=constants, repeatable=True)
_RELEASE: Final = Script.load("dispatcher.dialogue_store", "phrase_release", repeatable=True)
_CLEAR: Final = Script.load("dispatcher.dialogue_store", "phrase_clear", repeatable=True)
_KEYS: Final = {
    "phrases": keys.phrases("use"),
    "sizes": keys.phrases("sizes"),
    "figures": keys.phrases("figures"),
    "said": keys.phrases("said"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPhrase:
    """Answer of the cache.

    Attributes:
        finding: "hit" · "keep", worth to be kept once made · "pass", not worth it yet · "mine", the caller is
            to make it · "theirs", another one makes it at this moment.
        packed: packets as `dispatcher.audio.packets.pack` writes them.
        ms: how long the cache took.
        token: of a caller who is to make it, for `PhraseCache.give_up`; else empty.
    """

    finding: Finding
    packed: bytes = b""
    ms: float = 0.0
    token: str = ""

    @property
    def timings(self) -> dict[str, str | float]:
        """Facts for the turn's summary, in the words of a TTS call."""
        return {"tts_instance": CACHE_NAME, "tts_wait_ms": 0.0, "tts_first_audio_ms": self.ms}


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePhrase:
    """A phrase that was made to be kept.

    Attributes:
        speaker: the instance that spoke, with the voice that it had.
        packed: all of its packets.
        took_ms: from the call to the last packet.
    """

    phrase: SpokenPhrase
    speaker: Instance
    packed: bytes
    took_ms: float


_PASS: Final = FoundPhrase(finding="pass")


class PhraseCache:
    """The cache as one process uses it."""

    def __init__(self, redis: RedisClient, cache: RedisClient) -> None:
        """Use the shared state for the budget, and the cache for what is kept."""
        self._redis = redis
        self._cache = cache
        self._skip_until = 0.0

    async def find(
        self, phrase: SpokenPhrase, catalogue: Catalogue, voices: Mapping[str, str], *, may_make: bool = False
    ) -> FoundPhrase:
        """Return a phrase, in the voice that a persona has where it is asked first.

        A fixed phrase is also taken in a voice further on; a sentence would stand out between its neighbours.

        Args:
            phrase: what is to be said.
            catalogue: the active one.
            voices: those of the persona.
            may_make: the caller is about to make it, unless another one does so already.
        """
        rules = catalogue.phrase_cache
        if not rules.is_on or not (rules.sentences or phrase.is_fixed) or time.monotonic() < self._skip_until:
            return _PASS
        names = _names(phrase, catalogue, voices)
        token = secrets.token_hex(8) if may_make else ""
        began_at = time.monotonic()
        try:
            async with asyncio.timeout(FIND_TIMEOUT_S):
                answer = await self._run_find(names, phrase, token)
        except (StateError, TimeoutError) as error:
            self._skip_until = time.monotonic() + SKIP_AFTER_FAILURE_S
            log.warning("phrase cache out of reach", reason=str(error) or "no answer in time")
            return _PASS
        found = replace(_found(answer, token), ms=round((time.monotonic() - began_at) * 1000, 1))
        if found.finding == "hit" and not _is_sound(found.packed):
            log.warning("phrase is not readable, removed")
            self.drop(names)
            return replace(found, finding="keep", packed=b"")
        return found

    async def store(self, made: MadePhrase, catalogue: Catalogue, voices: Mapping[str, str]) -> bool:
        """Keep a phrase, and return whether it is kept; an unreachable cache keeps none."""
        try:
            async with asyncio.timeout(SKIP_AFTER_FAILURE_S):
                return bool(await self._run_store(made, catalogue, voices))
        except (StateError, TimeoutError) as error:
            log.warning("phrase not kept", reason=str(error) or "no answer in time")
            return False

    async def _run_store(self, made: MadePhrase, catalogue: Catalogue, voices: Mapping[str, str]) -> Any:
        names = _names(made.phrase, catalogue, voices)
        name = digest(made.phrase, made.speaker)
        if name not in names:
            return False
        return await self._cache.run(
            _STORE,
            keys={
                **_KEYS,
                "making": keys.phrases(f"making:{names[0]}"),
                "phrase": keys.phrase(name),
            },
            arguments={
                "packets": made.packed,
                "took_ms": round(made.took_ms),
                "instance": made.speaker.name,
                "ttl_s": ttl_s(made.speaker, _configured(catalogue)),
                "is_fixed": made.phrase.is_fixed,
                "max_bytes": round(await self._budget_mb(catalogue) * MB),
            },
        )

    def give_up(
        self, phrase: SpokenPhrase, catalogue: Catalogue, voices: Mapping[str, str], *, token: str
    ) -> None:
        """Let another one make a phrase that could not be made here; `token` is that of the answer "mine"."""
        making = keys.phrases(f"making:{_names(phrase, catalogue, voices)[0]}")
        self._send("EVAL", _RELEASE.source, *_RELEASE.operands({"making": making}, {"token": token}, (), ()))

    def drop(self, names: Sequence[str]) -> None:
        """Remove phrases by their digests; the next use of the index finds them gone."""
        self._send("UNLINK", *(keys.phrase(name) for name in names))

    async def find_missing(
        self, phrases: Sequence[SpokenPhrase], catalogue: Catalogue, voices: Mapping[str, str]
    ) -> list[SpokenPhrase]:
        """Return those of some phrases that are not kept; the others are kept for longer.

        Raises:
            StateError: the cache is out of reach.
        """
        groups = [_names(phrase, catalogue, voices) for phrase in phrases]
        ages = await asyncio.gather(
            *(self._cache.submit(("TTL", keys.phrase(name))) for names in groups for name in names)
        )
        left = iter(ages)
        missing = []
        for phrase, names in zip(phrases, groups, strict=True):
            kept = [(name, left_s) for name in names if (left_s := next(left)) > 0]
            for name, left_s in kept:
                if left_s > constants.NAMELESS_TTL_S:
                    self._send("EXPIRE", keys.phrase(name), PHRASE_TTL_S)
            missing += [] if kept else [phrase]
        return missing

    def _send(self, *command: Value) -> None:
        try:
            self._cache.send_nowait(*command)
        except StateError as error:
            log.warning("phrase cache out of reach", reason=str(error))

    async def _run_find(self, names: Sequence[str], phrase: SpokenPhrase, token: str) -> Any:
        return await self._cache.run(
            _FIND,
            keys={**_KEYS, "making": keys.phrases(f"making:{names[0]}")},
            rest_keys=[keys.phrase(name) for name in names],
            arguments={"is_fixed": phrase.is_fixed, "token": token},
        )

    async def _budget_mb(self, catalogue: Catalogue) -> float:
        written = await self._redis.execute("HGET", keys.OVERRIDES, EXTRA_OVERRIDE)
        return budget_mb(catalogue, written)


def budget_mb(catalogue: Catalogue, written: bytes | str | float | None) -> float:
    """Return the budget in force: `max_mb`, and what the tuner adds, where that makes sense."""
    try:
        extra = float(written or 0)
    except ValueError:
        extra = 0.0
    return catalogue.phrase_cache.max_mb + (extra if 0 < extra < float("inf") else 0.0)


async def clear(cache: RedisClient) -> int:
    """Remove all phrases; return how many bytes that freed.

    Raises:
        StateError: the cache is out of reach.
    """
    return int(await cache.run(_CLEAR, keys=_KEYS))


def _found(answer: Sequence[bytes], token: str) -> FoundPhrase:
    """Return what the script answered to a caller with that token."""
    finding, *rest = answer
    mine = token if finding == b"mine" else ""
    packed = rest[0] if finding == b"hit" else b""
    return FoundPhrase(finding=cast("Finding", finding.decode()), packed=packed, token=mine)


def _configured(catalogue: Catalogue) -> list[Instance]:
    """Return the instances that can be asked."""
    return [each for each in catalogue.services["tts"].instances if not what_is_missing(each)]


def _names(phrase: SpokenPhrase, catalogue: Catalogue, voices: Mapping[str, str]) -> tuple[str, ...]:
    """Return the digests under which a phrase is kept and found, the best first."""
    instances = catalogue.services["tts"].instances
    usual = () if phrase.is_fixed else usual_instances(_configured(catalogue))
    return digests(phrase, usual or instances, voices)


def _is_sound(packed: bytes) -> bool:
    """Return whether an entry holds packets: something else may have been written in its place."""
    try:
        return all(packets.unpack(packed))
    except AudioError:
        return False

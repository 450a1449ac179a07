"""Log of the last turns of all fronts, in short: the KPIs of response and errors are made of it.

What was said is in it only where `console: {transcripts: true}` keeps it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dispatcher.kpis.kpi_rules import TurnFacts
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient

TURNS_KEPT: Final = 1_000
# What the instances take before the first sound; the rest of that time is ours.
_ASR_TIME: Final = "asr_ms"
_REPLY_TIMES: Final = ("llm_first_sentence_ms", "tts_first_audio_ms")
_MAX_CHARACTERS: Final = 300
_TEXTS: Final = ("turn", "device", "reason")
MAX_WORDS_CHARACTERS: Final = 2_000
_PROMPT: Final = ("llm_prompt_tokens", "llm_cached_tokens")
_CACHED: Final = "cached_phrases"
_STEP: Final = "overload_step"
_AHEAD: Final = "speculated_ms"
_KEPT: Final = ("first_audio_ms", "silence_ms", _ASR_TIME, *_REPLY_TIMES, *_PROMPT, _CACHED, _STEP, _AHEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnd:
    """How a turn ended.

    Attributes:
        outcome: the front's word for it.
        reason: why it was cut, apologised for, or ended before its model did; empty otherwise.
        turn_id: which turn.
        prompt_tokens, cached_tokens: of the last prompt, and of that what its LLM had read before; None where
            the LLM did not say.
        silence_ms: after which the end of speech was found; 0 where the device sent it.
        first_audio_ms: from the end of speech, as found, to the first packet; None where none was sent.
        cached_phrases: how much was spoken from the phrase cache.
        overload_step: on which it began.
        ended_at_s: Unix time.
        said, answered: words of the user and of the answer, where they are kept.
        speculated_ms: so long before the end of speech was found the turn began; None where it did not.
    """

    outcome: str
    reason: str = ""
    turn_id: str = field(default="", compare=False)
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    silence_ms: float = field(default=0, compare=False)
    first_audio_ms: float | None = field(default=None, compare=False)
    cached_phrases: int = field(default=0, compare=False)
    overload_step: int = field(default=0, compare=False)
    ended_at_s: float = field(default=0, compare=False)
    said: str = field(default="", compare=False)
    answered: str = field(default="", compare=False)
    speculated_ms: float | None = field(default=None, compare=False)


def add(
    redis: RedisClient,
    *,
    outcome: str,
    asked: bool,
    typed: bool,
    figures: Mapping[str, Any],
    words: tuple[str, str] | None = None,
) -> None:
    """Add a finished turn; the oldest beyond the last thousand goes.

    Args:
        redis: connection to the shared state.
        outcome: the front's word for how it ended.
        asked: whether the user said or typed something.
        typed: whether no speech had to be recognised.
        figures: the turn's times in ms by name, its id as `turn`, its `device`, and the `reason` of its end,
            if it has one; what is not needed here is left out.
        words: what was said and answered, where the catalogue has it kept.
    """
    times = {name: figures[name] for name in _KEPT if isinstance(figures.get(name), (int, float))}
    turn = {"at_s": round(time.time(), 3), "outcome": outcome, "asked": asked, "typed": typed, **times}
    turn |= {name: str(figures[name])[:_MAX_CHARACTERS] for name in _TEXTS if figures.get(name)}
    if words is not None:
        said, answered = words
        turn |= {"said": said[:MAX_WORDS_CHARACTERS], "answered": answered[:MAX_WORDS_CHARACTERS]}
    redis.send_nowait("LPUSH", keys.TURNS, json.dumps(turn))
    redis.send_nowait("LTRIM", keys.TURNS, 0, TURNS_KEPT - 1)


async def read_end(redis: RedisClient, turn_id: str) -> TurnEnd | None:
    """Return how a turn ended, by its id or the beginning of it; None while it goes on, or is not kept.

    Raises:
        StateError: Redis is out of reach.
    """
    for turn in await _kept(redis):
        if turn.get("turn", "").startswith(turn_id):
            return _end(turn)
    return None


async def read_ends(redis: RedisClient, *, since_s: float) -> list[TurnEnd]:
    """Return how the turns ended that did since a Unix time, as far as they are kept.

    Raises:
        StateError: Redis is out of reach.
    """
    return [_end(turn) for turn in await _kept(redis) if turn["at_s"] >= since_s]


async def read_last_end(redis: RedisClient, device_id: str, *, since_s: float) -> TurnEnd | None:
    """Return how the last turn of a device ended; None where none ended since a Unix time.

    Raises:
        StateError: Redis is out of reach.
    """
    for turn in await _kept(redis):
        if turn["at_s"] < since_s:
            return None
        if turn.get("device") == device_id:
            return _end(turn)
    return None


async def _kept(redis: RedisClient) -> Iterator[Mapping[str, Any]]:
    """Return the turns that are kept, the newest first; each is read as it is looked at."""
    return map(json.loads, await redis.execute("LRANGE", keys.TURNS, 0, TURNS_KEPT - 1))


def _end(turn: Mapping[str, Any]) -> TurnEnd:
    prompt, cached = (turn.get(name) for name in _PROMPT)
    return TurnEnd(
        outcome=turn["outcome"],
        reason=turn.get("reason", ""),
        turn_id=turn.get("turn", ""),
        prompt_tokens=prompt,
        cached_tokens=cached,
        silence_ms=turn.get("silence_ms", 0),
        first_audio_ms=turn.get("first_audio_ms"),
        cached_phrases=turn.get(_CACHED, 0),
        overload_step=turn.get(_STEP, 0),
        ended_at_s=turn.get("at_s", 0),
        said=turn.get("said", ""),
        answered=turn.get("answered", ""),
        speculated_ms=turn.get(_AHEAD),
    )


async def read_since(redis: RedisClient, at_s: float) -> list[TurnFacts]:
    """Return the turns that ended after a Unix time, newest first, a thousand at most.

    Raises:
        StateError: Redis is out of reach.
    """
    raw = await redis.execute("LRANGE", keys.TURNS, 0, TURNS_KEPT - 1)
    turns = (_facts(json.loads(one)) for one in raw)
    return [turn for turn in turns if turn.ended_at_s >= at_s]


def _facts(turn: Mapping[str, Any]) -> TurnFacts:
    first_audio_ms = turn.get("first_audio_ms")
    parts = [turn.get(name) for name in (_REPLY_TIMES if turn["typed"] else (_ASR_TIME, *_REPLY_TIMES))]
    known = [float(part) for part in parts if part is not None]
    return TurnFacts(
        ended_at_s=float(turn["at_s"]),
        outcome=str(turn["outcome"]),
        asked=bool(turn["asked"]),
        first_audio_s=None if first_audio_ms is None else float(first_audio_ms) / 1000,
        silence_s=float(turn.get("silence_ms", 0)) / 1000,
        instances_s=sum(known) / 1000 if len(known) == len(parts) else None,
    )

"""A real turn leaves one record, and nothing in it of what was said."""

from __future__ import annotations

import json
from typing import Any

from redis import Redis

from dispatcher.redis_client import keys
from tests.support.instances import SENTENCES, TRANSCRIPT
from tests.support.stack import Stack
from tests.support.waiting import eventually


def turns_of(stack: Stack, device: str) -> list[dict[str, Any]]:
    """Return what the stream holds of one device's turns."""
    with Redis.from_url(stack.broker.url) as client:
        entries = client.xrange(keys.RECORDS)
        told = [json.loads(fields[b"fields"]) for _, fields in entries if fields[b"kind"] == b"turn"]
    return [each for each in told if each["device"] == device]


async def test_an_answered_turn_is_recorded_with_its_times_and_without_its_words(stack: Stack) -> None:
    async with stack.front.device("recorded") as device:
        await device.says()
    (told,) = eventually(lambda: turns_of(stack, "recorded"), what="the turn is recorded")
    assert (told["outcome"], told["reason"], told["sentences"]) == ("answered", "", len(SENTENCES))
    assert told["server"].startswith("front-")
    assert 0 < told["transcript_ms"] <= told["first_audio_ms"] <= told["played_ms"]
    assert told["llm_instance"] in {"llm-1", "llm-2"}
    whole = json.dumps(told, ensure_ascii=False)
    assert not [words for words in (TRANSCRIPT, *SENTENCES) if words in whole]


async def test_a_device_that_leaves_is_recorded_as_gone(stack: Stack) -> None:
    async with stack.front.device("recorded-leaver") as device:
        await device.begins_to_type("tell me")
    (told,) = eventually(lambda: turns_of(stack, "recorded-leaver"), what="the turn is recorded")
    assert told["outcome"] == "device left"

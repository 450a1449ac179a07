"""Optional parameters that instances refuse, shared by all workers: learned once, for a day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text
from dispatcher.routing.rules import constants

REFUSED_TTL_S: Final = 24 * 3600


def note(
    redis: RedisClient, instance: str, *, fingerprint: str, parameter: str, reason: str, until_s: float
) -> None:
    """Write that an instance with this fingerprint of its line refuses a parameter until a Unix time."""
    field = f"{fingerprint}:{parameter}"
    redis.send_nowait(
        "HSET", keys.refused(instance), field, f"{until_s:.0f} {reason[: constants.REASON_CHARACTERS]}"
    )
    redis.send_nowait("EXPIRE", keys.refused(instance), REFUSED_TTL_S)


async def read(
    redis: RedisClient, fingerprints: Mapping[str, str]
) -> dict[str, dict[str, tuple[str, float]]]:
    """Return reason and end of each refusal, by instance and parameter; remove those of changed lines.

    Raises:
        StateError: Redis is out of reach.
    """
    names = list(fingerprints)
    answers = await asyncio.gather(*(redis.submit(("HGETALL", keys.refused(name))) for name in names))
    found: dict[str, dict[str, tuple[str, float]]] = {}
    for name, flat in zip(names, answers, strict=True):
        for field, value in as_text(flat).items():
            fingerprint, _, parameter = field.partition(":")
            until_s, _, reason = value.partition(" ")
            if fingerprint != fingerprints[name] or float(until_s) <= time.time():
                redis.send_nowait("HDEL", keys.refused(name), field)
            else:
                found.setdefault(name, {})[parameter] = (reason, float(until_s))
    return found


def as_shown(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the refusals in an instance's hash, as an operator reads them: parameter and reason."""
    return {
        field.partition(":")[2]: value.partition(" ")[2]
        for field, value in sorted(fields.items())
        if float(value.partition(" ")[0]) > time.time()
    }

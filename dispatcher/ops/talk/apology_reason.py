"""Apologised turns: how a device recognises one, and the reason that the server recorded."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from dispatcher.device_simulator import TurnResult
from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.errors import DispatcherError, FrontError
from dispatcher.messages import canonical_device_id
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.settings import Settings
from dispatcher.telemetry import turn_log
from dispatcher.telemetry.turn_log import TurnEnd

# The front writes the turn's end down when its last packet is played.
SUMMARY_TIMEOUT_S: Final = 3.0
SUMMARY_POLL_INTERVAL_S: Final = 0.1
# `dispatcher why` takes the beginning of an id, from six characters on.
TURN_ID_CHARACTERS: Final = 8
_ADMIT: Final = frozenset(text for (kind, _), text in APOLOGIES.items() if kind == "admit")
_BUSY: Final = frozenset(text for (kind, _), text in APOLOGIES.items() if kind == "busy")


def is_apology(result: TurnResult) -> bool:
    """Return whether the device was given an apology, alone or after a part of an answer."""
    return any(sentence.text in APOLOGIES.values() for sentence in result.sentences)


def is_turned_away(result: TurnResult) -> bool:
    """Return whether the device was told that there are too many at once."""
    return any(sentence.text in _BUSY for sentence in result.sentences)


async def apology_error(
    settings: Settings, device_id: str, result: TurnResult, *, since_s: float
) -> FrontError:
    """Return the error that an apologised turn of a device is: why, and the command that tells more.

    Args:
        settings: where the shared state is.
        device_id: who asked.
        result: what the device was given.
        since_s: Unix time before which the turn did not end.
    """
    if any(sentence.text in _ADMIT for sentence in result.sentences):
        return FrontError(
            f"the server knows {device_id} as the device of another client; "
            "`dispatcher devices list` shows who waits to be admitted"
        )
    end = None
    with suppress(DispatcherError, ValueError, TimeoutError):
        async with asyncio.timeout(SUMMARY_TIMEOUT_S):
            end = await _find_end(settings, canonical_device_id(device_id), since_s)
    if end is None:
        return FrontError(
            "the turn ended with an apology; the front's log names the turn, "
            "and on the server `dispatcher why TURN` tells where its calls went"
        )
    because = f": {end.reason}" if end.reason else ""
    more = f"`dispatcher why {end.turn_id[:TURN_ID_CHARACTERS]}` tells where its calls went"
    return FrontError(f"the turn ended with an apology{because}\n{more}")


async def _find_end(settings: Settings, device_id: str, since_s: float) -> TurnEnd:
    redis = RedisClient(connect(settings.redis_url))
    try:
        while True:
            found = await turn_log.read_last_end(redis, device_id, since_s=since_s)
            if found is not None:
                return found
            await asyncio.sleep(SUMMARY_POLL_INTERVAL_S)
    finally:
        await redis.close()

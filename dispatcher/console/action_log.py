"""Log of what operators do: each action is kept before it is done, and once more when it is."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from dispatcher.errors import DispatcherError, StateError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.telemetry import record_stream

log = structlog.get_logger(__name__)

OPERATOR_ACTIONS_KEPT: Final = 200


@asynccontextmanager
async def kept(redis: RedisClient, action: Mapping[str, str]) -> AsyncIterator[None]:
    """Keep an action with its who, what, subject, value and why while it is done, and that it was.

    One that is refused is not kept; one whose end nobody knows stays as one that was begun.

    Raises:
        StateError: Redis is out of reach.
    """
    at_s = round(time.time(), 1)
    begun = json.dumps({"at_s": at_s, **action, "state": "begun"})
    await redis.execute("LPUSH", keys.OPERATOR_ACTIONS, begun)
    redis.send_nowait("LTRIM", keys.OPERATOR_ACTIONS, 0, OPERATOR_ACTIONS_KEPT - 1)
    try:
        yield
    except StateError:
        raise
    except (ValueError, DispatcherError):
        await redis.execute("LREM", keys.OPERATOR_ACTIONS, 1, begun)
        raise
    await redis.execute("LPUSH", keys.OPERATOR_ACTIONS, json.dumps({"at_s": at_s, **action}))
    await redis.execute("LREM", keys.OPERATOR_ACTIONS, 1, begun)
    in_words = f"{action['what']} {action['subject']} {action['value']}".strip()
    told = {"action": in_words, "why": action["why"], "who": action["who"]}
    record_stream.add(redis, "decision", {"at_s": at_s, "event": "operator", **told})
    log.info("operator acted", **told)


async def read_actions(redis: RedisClient) -> list[Mapping[str, Any]]:
    """Return the last actions, newest first.

    Raises:
        StateError: Redis is out of reach.
    """
    raw = await redis.execute("LRANGE", keys.OPERATOR_ACTIONS, 0, OPERATOR_ACTIONS_KEPT - 1)
    return [json.loads(one) for one in raw]

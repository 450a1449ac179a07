"""Errands: what an operator wants of one connected device, carried by the front that holds it.

An errand is published to all fronts; each answers whether it holds the device, so that "not connected" is
known and not guessed. Nothing is kept: a device that comes later hears nothing of it.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

import structlog
from redis.asyncio import Redis

from dispatcher.errors import StateError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.pubsub import hear

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 2.0
_DONE: Final = b"done"
_NOT_HERE: Final = b"not here"

# What a device is sent, is refused from now on, or that what is known of it has changed.
ErrandKind: TypeAlias = Literal["reboot", "alert", "block", "reread"]
_KINDS: Final[Mapping[str, ErrandKind]] = {kind: kind for kind in get_args(ErrandKind)}
# How it went: some front did it, none holds the device, or none answered.
Went: TypeAlias = Literal["done", "not connected", "no front"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCommand:
    """One thing to do for one device.

    Attributes:
        fields: of the message to the device; `alert` has status, message and emotion.
    """

    device_id: str
    kind: ErrandKind
    fields: Mapping[str, str] = field(default_factory=dict)


async def send(redis: RedisClient, errand: DeviceCommand, *, patience_s: float = PATIENCE_S) -> Went:
    """Have an errand done, and return how it went.

    Args:
        redis: connection to the shared state; it carries nothing else meanwhile.
        errand: what to do.
        patience_s: how long fronts may take to answer.

    Raises:
        StateError: Redis is out of reach.
    """
    errand_id = uuid.uuid4().hex
    told = json.dumps([errand_id, errand.device_id, errand.kind, dict(errand.fields)], ensure_ascii=False)
    fronts = int(await redis.execute("PUBLISH", keys.ERRANDS_CHANNEL, told))
    answered = 0
    give_up_at = asyncio.get_running_loop().time() + patience_s
    while answered < fronts and (left_s := give_up_at - asyncio.get_running_loop().time()) > 0:
        answer = await redis.execute("BLPOP", keys.errand(errand_id), round(max(0.01, left_s), 2))
        if answer is None:
            break
        if answer[1] == _DONE:
            return "done"
        answered += 1
    return "not connected" if answered else "no front"


async def serve(
    client: Redis,
    redis: RedisClient,
    carry: Callable[[DeviceCommand], Awaitable[bool]],
    *,
    on_listening: Callable[[], None],
) -> None:
    """Carry errands, for ever.

    Args:
        client: for the subscription alone.
        redis: for the answers.
        carry: does it; whether the device is here.
        on_listening: called whenever it begins to hear: errands before that are lost.
    """
    async for _, told in hear(client, keys.ERRANDS_CHANNEL, on_listening=on_listening):
        await _answer(redis, told, carry)


async def _answer(redis: RedisClient, told: str, carry: Callable[[DeviceCommand], Awaitable[bool]]) -> None:
    try:
        errand_id, device_id, kind, fields = json.loads(told)
        errand = DeviceCommand(device_id=str(device_id), kind=_KINDS[kind], fields=dict(fields))
    except (ValueError, TypeError, KeyError) as error:  # of a version that knows more
        log.warning("errand not understood", reason=repr(error))
        return
    is_here = await carry(errand)
    key = keys.errand(str(errand_id))
    try:
        redis.send_nowait("LPUSH", key, _DONE if is_here else _NOT_HERE)
        redis.send_nowait("EXPIRE", key, keys.ERRAND_TTL_S)
    except StateError as error:
        log.warning("errand not answered", reason=str(error))

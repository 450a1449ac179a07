"""Commands of an operator for one connected device, handled by the front that holds it.

A command is published to all fronts; each answers whether it holds the device, so that "not connected" is
known and not guessed. Nothing is kept: a device that connects later does not get it.
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
from dispatcher.redis_client.pubsub import subscribe

COMMAND_ANSWERS_TTL_S: Final = 10

log = structlog.get_logger(__name__)

COMMAND_TIMEOUT_S: Final = 2.0
_DONE: Final = b"done"
_NOT_HERE: Final = b"not here"

# A message to the device, its refusal from now on, or a change of its entry in the registry.
CommandKind: TypeAlias = Literal["reboot", "alert", "block", "reread"]
_KINDS: Final[Mapping[str, CommandKind]] = {kind: kind for kind in get_args(CommandKind)}
# A front handled it, none holds the device, or none answered.
CommandResult: TypeAlias = Literal["done", "not connected", "no front"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCommand:
    """One thing to do for one device.

    Attributes:
        fields: of the message to the device; `alert` has status, message and emotion.
    """

    device_id: str
    kind: CommandKind
    fields: Mapping[str, str] = field(default_factory=dict)


async def send(
    redis: RedisClient, command: DeviceCommand, *, timeout_s: float = COMMAND_TIMEOUT_S
) -> CommandResult:
    """Publish a command, and return its result.

    Args:
        redis: connection to the shared state; it carries nothing else meanwhile.
        command: what to do.
        timeout_s: how long fronts may take to answer.

    Raises:
        StateError: Redis is out of reach.
    """
    command_id = uuid.uuid4().hex
    published = json.dumps(
        [command_id, command.device_id, command.kind, dict(command.fields)], ensure_ascii=False
    )
    fronts = int(await redis.execute("PUBLISH", keys.COMMANDS_CHANNEL, published))
    answered = 0
    gives_up_at = asyncio.get_running_loop().time() + timeout_s
    while answered < fronts and (left_s := gives_up_at - asyncio.get_running_loop().time()) > 0:
        answer = await redis.execute("BLPOP", keys.command_answers(command_id), round(max(0.01, left_s), 2))
        if answer is None:
            break
        if answer[1] == _DONE:
            return "done"
        answered += 1
    return "not connected" if answered else "no front"


async def serve(
    client: Redis,
    redis: RedisClient,
    handle: Callable[[DeviceCommand], Awaitable[bool]],
    *,
    on_subscribed: Callable[[], None],
) -> None:
    """Answer commands until cancelled.

    Args:
        client: for the subscription alone.
        redis: for the answers.
        handle: does it; returns whether the device is connected.
        on_subscribed: called on each subscription: commands before that are lost.
    """
    async for _, published in subscribe(client, keys.COMMANDS_CHANNEL, on_subscribed=on_subscribed):
        await _answer(redis, published, handle)


async def _answer(
    redis: RedisClient, published: str, handle: Callable[[DeviceCommand], Awaitable[bool]]
) -> None:
    try:
        command_id, device_id, kind, fields = json.loads(published)
        command = DeviceCommand(device_id=str(device_id), kind=_KINDS[kind], fields=dict(fields))
    except (ValueError, TypeError, KeyError) as error:  # of a version that knows more
        log.warning("device command not readable", reason=repr(error))
        return
    is_connected = await handle(command)
    key = keys.command_answers(str(command_id))
    try:
        redis.send_nowait("LPUSH", key, _DONE if is_connected else _NOT_HERE)
        redis.send_nowait("EXPIRE", key, COMMAND_ANSWERS_TTL_S)
    except StateError as error:
        log.warning("device command not answered", reason=str(error))

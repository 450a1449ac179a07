"""Tools of devices, where workers read them; and the way of a call to a device and back.

A call goes out as a reply of kind `tool` on the stream of the front that holds the device, so it keeps its
place among sentences and names a turn, never a device. The answer waits under a key of its own, and is
published on a channel to which every worker process is subscribed anyway.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.tools.model import ListedTool, ToolResult

ANSWER_TTL_S: Final = 30

TOOLS_TTL_S: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCall:
    """A tool of a device that is to be called.

    Attributes:
        call_id: names the answer.
        tool: as the device knows it.
        arguments: checked against the tool's schema.
    """

    call_id: str
    tool: str
    arguments: Mapping[str, Any]

    def as_text(self) -> str:
        """Return the call as it travels."""
        return json.dumps([self.call_id, self.tool, self.arguments], ensure_ascii=False)


def read_call(text: str) -> DeviceCall:
    """Return a call that came as text.

    Raises:
        ValueError: a worker of another version wrote it.
    """
    call_id, tool, arguments = json.loads(text)
    return DeviceCall(call_id=call_id, tool=tool, arguments=arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolList:
    """A list as it is kept: the same tools have the same digest, whatever device they are of."""

    digest: str
    packed: str


def pack(tools: Sequence[ListedTool]) -> ToolList:
    """Return a list ready to be kept."""
    rows = [[tool.name, tool.description, tool.parameters] for tool in tools]
    packed = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    return ToolList(digest=hashlib.sha256(packed.encode("utf-8", "replace")).hexdigest()[:32], packed=packed)


def keep(redis: RedisClient, listed: ToolList) -> None:
    """Keep a list for an hour."""
    redis.send_nowait(
        *("SET", keys.tools(listed.digest), listed.packed.encode("utf-8", "replace")),
        *("EX", TOOLS_TTL_S),
    )


async def read(redis: RedisClient, digest: str) -> tuple[ListedTool, ...] | None:
    """Return a list, or None where it is not kept any more.

    Raises:
        StateError: Redis is out of reach.
    """
    packed = await redis.execute("GET", keys.tools(digest))
    if packed is None:
        return None
    return tuple(
        ListedTool(name=name, description=description, parameters=parameters)
        for name, description, parameters in json.loads(packed)
    )


async def try_act(redis: RedisClient, turn_id: str, attempt: int) -> bool:
    """Return whether this sending of a turn may call tools: the first that asks may, and no other ever.

    Raises:
        StateError: Redis is out of reach.
    """
    return bool(await redis.execute("SET", keys.acting(turn_id), attempt, "NX", "EX", keys.TURN_TTL_S))


def answer(redis: RedisClient, call_id: str, result: ToolResult) -> None:
    """Store the result of a call, and publish that it is there."""
    packed = json.dumps([result.text, result.failed], ensure_ascii=False).encode("utf-8", "replace")
    redis.send_nowait("SET", keys.answer(call_id), packed, "EX", ANSWER_TTL_S)
    redis.send_nowait("PUBLISH", keys.ANSWERED_CHANNEL, call_id)


async def read_answer(redis: RedisClient, call_id: str) -> ToolResult | None:
    """Return what became of a call, or None where nobody knows yet.

    Raises:
        StateError: Redis is out of reach.
    """
    packed = await redis.execute("GET", keys.answer(call_id))
    if packed is None:
        return None
    text, failed = json.loads(packed)
    return ToolResult(text=text, failed=failed)

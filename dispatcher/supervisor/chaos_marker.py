"""The mark of a stack that may be hurt on purpose: who keeps it, and which processes are his."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedProcess:
    """One process of the stack; `pid` is None while it is down, `port` where it listens nowhere.

    Attributes:
        host: where it is reached from the host of the stack.
    """

    name: str
    role: str
    pid: int | None
    port: int | None
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosMarker:
    """What `dispatcher up` says of itself where ALLOW_VERIFY is true.

    Attributes:
        pid: of the supervisor; every process that may be hurt is its child.
    """

    host: str
    pid: int
    parts: tuple[MarkedProcess, ...]


_MARK: Final = TypeAdapter(ChaosMarker)


def leave(redis: RedisClient, mark: ChaosMarker) -> None:
    """Write the mark for a few seconds; the supervisor writes it again and again."""
    redis.send_nowait(
        "SET", keys.verify_mark(mark.host), _MARK.dump_json(mark), "EX", keys.SIGN_OF_LIFE_TTL_S
    )


async def claim(redis: RedisClient, who: str) -> bool:
    """Return whether this run may go on: no other one does; it is asked again and again meanwhile.

    Raises:
        StateError: Redis is out of reach.
    """
    if await redis.execute("SET", keys.VERIFYING, who, "NX", "EX", keys.SIGN_OF_LIFE_TTL_S):
        return True
    mine: bool = await redis.execute("GET", keys.VERIFYING) == who.encode()
    if mine:
        redis.send_nowait("EXPIRE", keys.VERIFYING, keys.SIGN_OF_LIFE_TTL_S)
    return mine


async def release(redis: RedisClient, who: str) -> None:
    """Let another run begin.

    Raises:
        StateError: Redis is out of reach; the claim ends by itself.
    """
    if await redis.execute("GET", keys.VERIFYING) == who.encode():
        await redis.execute("UNLINK", keys.VERIFYING)


async def read(redis: RedisClient, host: str) -> ChaosMarker | None:
    """Return the mark of a host; None where its stack allows nothing, or is of another version.

    Raises:
        StateError: Redis is out of reach.
    """
    written = await redis.execute("GET", keys.verify_mark(host))
    try:
        return None if written is None else _MARK.validate_json(written)
    except ValidationError:
        return None

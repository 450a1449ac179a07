"""Chaos marker: the sign in Redis that `dispatcher verify` may inject faults into this stack."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from dispatcher.errors import StartError, StateError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.supervisor.polling import poll
from dispatcher.supervisor.process_runner import ProcessRunner

MARKER_REFRESH_INTERVAL_S: Final = 0.5


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
    """The processes of a `dispatcher up` with ALLOW_VERIFY.

    Attributes:
        pid: of the supervisor; every process that may be killed is its child.
    """

    host: str
    pid: int
    parts: tuple[MarkedProcess, ...]


_MARKER: Final = TypeAdapter(ChaosMarker)


async def refresh_marker(redis: RedisClient, runners: Sequence[ProcessRunner]) -> None:
    """Write the marker of these processes, for ever; without that it expires within seconds."""

    async def write() -> None:
        marker = _marker_of(runners)
        redis.send_nowait(
            "SET", keys.verify_mark(marker.host), _MARKER.dump_json(marker), "EX", keys.SIGN_OF_LIFE_TTL_S
        )

    await poll(write, interval_s=MARKER_REFRESH_INTERVAL_S)


async def claim(redis: RedisClient, run_id: str) -> bool:
    """Return whether this run may go on: no other one does; it is asked again and again meanwhile.

    Raises:
        StateError: Redis is out of reach.
    """
    if await redis.execute("SET", keys.VERIFYING, run_id, "NX", "EX", keys.SIGN_OF_LIFE_TTL_S):
        return True
    mine: bool = await redis.execute("GET", keys.VERIFYING) == run_id.encode()
    if mine:
        redis.send_nowait("EXPIRE", keys.VERIFYING, keys.SIGN_OF_LIFE_TTL_S)
    return mine


@asynccontextmanager
async def exclusive_run(redis: RedisClient) -> AsyncGenerator[str]:
    """Yield the id of a run that is the only one, and let another begin at its end, be it Ctrl-C.

    Raises:
        StartError: another one is under way.
        StateError: Redis is out of reach.
    """
    run_id = uuid.uuid4().hex
    if not await claim(redis, run_id):
        raise StartError("another `dispatcher verify` runs on this Redis; wait for its end")
    try:
        yield run_id
    finally:
        with suppress(StateError):  # else it ends by itself
            await release(redis, run_id)


async def release(redis: RedisClient, run_id: str) -> None:
    """Let another run begin.

    Raises:
        StateError: Redis is out of reach; the claim ends by itself.
    """
    if await redis.execute("GET", keys.VERIFYING) == run_id.encode():
        await redis.execute("UNLINK", keys.VERIFYING)


async def read(redis: RedisClient, host: str) -> ChaosMarker | None:
    """Return the marker of a host; None where its stack allows nothing, or is of another version.

    Raises:
        StateError: Redis is out of reach.
    """
    written = await redis.execute("GET", keys.verify_mark(host))
    try:
        return None if written is None else _MARKER.validate_json(written)
    except ValidationError:
        return None


def _marker_of(runners: Sequence[ProcessRunner]) -> ChaosMarker:
    return ChaosMarker(
        host=socket.gethostname(),
        pid=os.getpid(),
        parts=tuple(
            MarkedProcess(
                name=runner.spec.name,
                role=runner.spec.role,
                pid=runner.pid,
                port=runner.spec.address.port if runner.spec.address else None,
            )
            for runner in runners
        ),
    )

"""Published instances of every service: those of the active catalogue, and those that are draining."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from dispatcher.messages import SERVICES, Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.lua_script import Value


class Published(NamedTuple):
    """What is published of one service: its algorithm, its instances, and those that left the YAML."""

    service: Service
    algorithm: str
    names: tuple[str, ...]
    leaving: tuple[str, ...]


async def read_fleets(redis: RedisClient) -> tuple[Published, ...]:
    """Return what is published of every service.

    Raises:
        StateError: Redis is out of reach.
    """
    known, left = await asyncio.gather(
        submit_all(redis, [("HMGET", keys.fleet(service), "algorithm", "names") for service in SERVICES]),
        submit_all(redis, [("SMEMBERS", keys.leaving(service)) for service in SERVICES]),
    )
    return tuple(
        Published(
            service,
            algorithm=_text(algorithm),
            names=tuple(name for name in _text(names).split(",") if name),
            leaving=tuple(sorted(name.decode() for name in leaving)),
        )
        for service, (algorithm, names), leaving in zip(SERVICES, known, left, strict=True)
    )


def submit_all(redis: RedisClient, commands: Sequence[tuple[Value, ...]]) -> asyncio.Future[list[Any]]:
    """Return the answers to commands that travel together, as one future."""
    return asyncio.gather(*(redis.submit(command) for command in commands))


def _text(value: bytes | None) -> str:
    return (value or b"").decode()

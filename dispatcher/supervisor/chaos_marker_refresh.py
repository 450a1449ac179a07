"""Leaving the mark that lets `dispatcher verify` hurt this stack, for as long as it runs."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from dispatcher.errors import StateError
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.supervisor import chaos_marker
from dispatcher.supervisor.chaos_marker import ChaosMarker, MarkedProcess
from dispatcher.supervisor.process_runner import ProcessRunner

EVERY_S: Final = 0.5


async def keep_marked(redis_url: str, keepers: Sequence[ProcessRunner]) -> None:
    """Say twice a second which processes are ours, for ever; a Redis that is away is looked for again."""
    redis = RedisClient(connect(redis_url))
    try:
        while True:
            with suppress(StateError):
                chaos_marker.leave(redis, _mark(keepers))
            await asyncio.sleep(EVERY_S)
    finally:
        with suppress(StateError):
            await redis.close()


def _mark(keepers: Sequence[ProcessRunner]) -> ChaosMarker:
    return ChaosMarker(
        host=socket.gethostname(),
        pid=os.getpid(),
        parts=tuple(
            MarkedProcess(
                name=keeper.part.name,
                role=keeper.part.role,
                pid=keeper.pid,
                port=keeper.part.address.port if keeper.part.address else None,
            )
            for keeper in keepers
        ),
    )

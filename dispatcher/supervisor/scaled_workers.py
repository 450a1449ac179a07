"""Worker processes beside those of the Procfile, as many as a knob says: the tuner's, or an operator's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from dispatcher.control.overrides import OVERRIDES_POLL_INTERVAL_S, read_overrides
from dispatcher.errors import StateError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.supervisor.process_runner import ProcessRunner
from dispatcher.supervisor.process_spec import Part

# A knob that was turned by mistake must not fill the box.
MOST_OF_A_QUEUE: Final = 4


class ScaledWorkers:
    """Follows the knobs, and shows the tuner that somebody does."""

    def __init__(
        self,
        parts: Iterable[Part],
        redis_url: str,
        *,
        start: Callable[[Part], ProcessRunner],
        stop: Callable[[ProcessRunner], Awaitable[None]],
    ) -> None:
        """Copy from these parts: the workers of one queue each that need no shell."""
        self._models = {
            part.queues[0]: part
            for part in parts
            if part.role == "worker" and len(part.queues) == 1 and not part.in_shell
        }
        self._redis_url = redis_url
        self._start = start
        self._stop = stop
        self._running: dict[str, list[ProcessRunner]] = {queue: [] for queue in self._models}

    async def follow(self) -> None:
        """Look once a second, for ever; while Redis is away all stays as it is."""
        if not self._models:
            return
        redis = RedisClient(connect(self._redis_url))
        try:
            while True:
                with suppress(StateError):
                    redis.send_nowait(
                        "SET", keys.supervisor(socket.gethostname()), 1, "EX", keys.SIGN_OF_LIFE_TTL_S
                    )
                    await self._match((await read_overrides(redis)).extra_workers)
                await asyncio.sleep(OVERRIDES_POLL_INTERVAL_S)
        finally:
            with suppress(StateError):
                await redis.close()

    async def _match(self, wanted: Mapping[str, int]) -> None:
        """Start what is missing and stop what is too much, the newest first."""
        for queue, running in self._running.items():
            count = min(MOST_OF_A_QUEUE, wanted.get(queue, 0))
            while len(running) < count:
                running.append(self._start(extra_of(self._models[queue], len(running) + 1)))
            while len(running) > count:
                await self._stop(running.pop())


def extra_of(model: Part, number: int) -> Part:
    """Return a further worker like one of the Procfile, under a node name of its own."""
    name = f"{model.name}-extra-{number}"
    return replace(model, name=name, argv=(*model.argv, "-n", f"{name}@%h"), what=f"{model.what}, extra")

"""Loads of Ollama models: kept open until they are done, since Ollama gives up a load whose client leaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceUnreachable

# How long a check waits for a load; the load itself goes on.
LOAD_CHECK_TIMEOUT_S: Final = 3.0
LOAD_TIMEOUT_S: Final = 300.0
LOAD_INTERVAL_S: Final = 600.0


class ModelLoading:
    """The loads under way, and when each model was last seen in memory."""

    def __init__(self, load: Callable[[Instance], Awaitable[None]]) -> None:
        """Remember how a model is loaded."""
        self._load = load
        self._under_way: dict[tuple[str, str | None], asyncio.Task[None]] = {}
        self._loaded_at_s: dict[tuple[str, str | None], float] = {}

    def mark_loaded(self, instance: Instance) -> None:
        """Mark a model as in memory: where it leaves, another load is not at once the answer."""
        self._loaded_at_s.setdefault(_key(instance), time.monotonic())

    async def ensure(self, instance: Instance) -> None:
        """Return when a model is loaded, or was not long ago.

        Raises:
            InstanceUnreachable: it is still being loaded.
            InstanceError: it cannot be loaded.
        """
        key, now_s = _key(instance), time.monotonic()
        under_way = self._under_way.get(key)
        if under_way is None:
            if now_s - self._loaded_at_s.get(key, -LOAD_INTERVAL_S) < LOAD_INTERVAL_S:
                return
            under_way = self._under_way[key] = asyncio.create_task(self._load_in_time(instance))
        done, _ = await asyncio.wait({under_way}, timeout=LOAD_CHECK_TIMEOUT_S)
        if not done:
            raise InstanceUnreachable(instance.name, f"{instance.model} is being loaded")
        self._under_way.pop(key, None)
        under_way.result()
        self._loaded_at_s[key] = time.monotonic()

    async def _load_in_time(self, instance: Instance) -> None:
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                await self._load(instance)
        except TimeoutError as error:
            reason = f"{instance.model} was not loaded within {LOAD_TIMEOUT_S:g} s"
            raise InstanceUnreachable(instance.name, reason) from error

    async def close(self) -> None:
        """Give up the loads under way."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        self._under_way.clear()


def _key(instance: Instance) -> tuple[str, str | None]:
    return instance.endpoint, instance.model

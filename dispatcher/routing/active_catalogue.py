"""The active catalogue as one process knows it: its file's at first, then what is published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import structlog
from redis.asyncio import Redis

from dispatcher.catalogue.model import Catalogue
from dispatcher.errors import ConfigError, StateError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.key_format import require_known_format
from dispatcher.redis_client.pubsub import subscribe
from dispatcher.routing import instance_table
from dispatcher.settings import Settings

log = structlog.get_logger(__name__)

SYNC_AGAIN_S: Final = 1.0


class ActiveCatalogue:
    """A catalogue that is swapped whole, in one assignment, when another one is activated.

    Attributes:
        current: what new calls, turns and connections go by; those under way keep what they took.
        revision: its number, 0 before this process has read any.
        on_swap: called after each swap.
    """

    def __init__(self, redis: RedisClient, catalogue: Catalogue, *, activated_at_s: float = 0.0) -> None:
        """Begin with the catalogue of a file that was chosen at a Unix time; nothing is published yet."""
        self.current = catalogue
        self.revision = 0
        self.on_swap: Callable[[], None] = _nothing
        self._redis = redis
        self._activated_at_ms = int(activated_at_s * 1000)
        self._refreshing: asyncio.Task[None] | None = None
        self._stale = False

    @property
    def activated_at_ms(self) -> int:
        """When the catalogue was activated, by the clock of Redis where one is active."""
        return self._activated_at_ms

    async def sync(self) -> None:
        """Follow the active catalogue; where there is none, or an older one, activate ours.

        Raises:
            StateError: Redis is out of reach.
            ConfigError: the active one, or the form of the keys, is of another version.
        """
        await require_known_format(self._redis)
        self._take(
            await instance_table.publish(self._redis, self.current, activated_at_ms=self._activated_at_ms)
        )

    async def adopt(
        self, catalogue: Catalogue, *, activated_at_ms: int | Literal["now"] = instance_table.NOW
    ) -> bool:
        """Activate a catalogue, unless one that was chosen later is; return whether it is now.

        Args:
            catalogue: what an operator chose.
            activated_at_ms: when, by the clock of Redis; at this moment when left out.

        Raises:
            StateError: Redis is out of reach.
        """
        self._take(await instance_table.publish(self._redis, catalogue, activated_at_ms=activated_at_ms))
        return self.current == catalogue

    def refresh(self) -> None:
        """Sync soon, and until it succeeds; one that is asked for meanwhile is not lost."""
        self._stale = True
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.get_running_loop().create_task(self._refresh())

    async def _refresh(self) -> None:
        while self._stale:
            self._stale = False
            try:
                await self.sync()
            except ConfigError as error:  # the next revision may be one that this version knows
                log.warning("catalogue not followed", reason=str(error))
            except StateError as error:
                log.warning("catalogue not followed yet", reason=str(error))
                self._stale = True
                await asyncio.sleep(SYNC_AGAIN_S)

    async def close(self) -> None:
        """Follow no more."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)

    def _take(self, found: instance_table.PublishedCatalogue) -> None:
        changed = found.catalogue != self.current
        self.current, self.revision = found.catalogue, found.revision
        self._activated_at_ms = found.activated_at_ms
        if changed:
            log.info("catalogue swapped", revision=found.revision)
            self.on_swap()


async def listen(client: Redis, active: ActiveCatalogue) -> None:
    """Follow what is published, for ever; for a process that has no other subscription."""
    async for _ in subscribe(client, keys.RELOADED_CHANNEL, on_subscribed=active.refresh):
        active.refresh()


def activated_at_s(settings: Settings, path: str) -> float:
    """Return when an operator last chose the content of a file: wrote it, or ran `dispatcher up` with it.

    A process without a file of its own has chosen nothing: what is active wins over what it began with.
    """
    if settings.follows_redis:
        return 0.0
    try:
        return max(settings.config_chosen_at_s, Path(path).stat().st_mtime)
    except OSError:
        return settings.config_chosen_at_s


def _nothing() -> None:
    """Be the listener of a process where nothing else follows from a swap."""

"""Watch over the YAML of the control worker: a save that changes it becomes active, or is refused."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog

from dispatcher.control import added_instances
from dispatcher.control.overrides import read_overrides
from dispatcher.control.watched_file import SavedCatalogue, WatchedFile
from dispatcher.errors import ConfigError, StateError
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import clock_ms
from dispatcher.routing import instance_table
from dispatcher.routing.active_catalogue import ActiveCatalogue

log = structlog.get_logger(__name__)

FILE_POLL_INTERVAL_S: Final = 2.0


class CatalogueWatch:
    """The watch of one control worker; without a file it only prunes instances that left."""

    def __init__(self, redis: RedisClient, active: ActiveCatalogue, file: WatchedFile | None) -> None:
        """Begin with what the file was at the start of the process."""
        self._redis = redis
        self._active = active
        self._file = file
        # A save that Redis could not take waits for it; nothing else makes the file count as chosen again.
        self._saved: SavedCatalogue | None = None

    async def run(self) -> None:
        """Poll for ever."""
        while True:
            await asyncio.sleep(FILE_POLL_INTERVAL_S)
            await self.poll()

    async def poll(self) -> None:
        """Adopt a changed file, and prune instances that left and have no call any more."""
        try:
            if self._file is not None:
                self._saved = await asyncio.to_thread(self._file.poll) or self._saved
            if self._saved is not None:
                await self._adopt(self._saved)
                self._saved = None
            await added_instances.reconcile(self._redis, self._active)
            pruned = await instance_table.prune(self._redis)
            if pruned:
                log.info("instances left", instances=pruned)
        except ConfigError as error:
            log.warning("catalogue refused, the one before stays", problems=error.problems)
        except StateError as error:
            log.warning("catalogue not looked after", reason=str(error))

    async def _adopt(self, saved: SavedCatalogue) -> None:
        """Make a saved catalogue the active one, unless an operator chose another after the save.

        The age of the save is measured on this host, so that its clock need not agree with that of Redis.
        """
        age_s = max(0.0, time.time() - saved.saved_at_s)
        now_ms = clock_ms(await self._redis.execute("TIME"))
        # No turn between this and the next reconcile goes by what an operator edited otherwise.
        wanted = added_instances.with_overrides(saved.catalogue, await read_overrides(self._redis))
        is_active = await self._active.adopt(wanted, activated_at_ms=now_ms - round(age_s * 1000))
        event = "catalogue reloaded" if is_active else "catalogue saved before the last reload, which stays"
        log.info(event, file=saved.catalogue.path, revision=self._active.revision)

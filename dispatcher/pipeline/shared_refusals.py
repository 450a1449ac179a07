"""Exchange of refused parameters between the processes: what one has learned the others know soon."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from dispatcher.errors import StateError
from dispatcher.providers.negotiation import Refusal, RefusedParameters
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import refused_parameters
from dispatcher.routing.active_catalogue import ActiveCatalogue

REFUSALS_POLL_INTERVAL_S: Final = 30.0


class SharedRefusals:
    """The refused parameters of this process, written to Redis and read from there."""

    def __init__(self, redis: RedisClient, active: ActiveCatalogue, refused: RefusedParameters) -> None:
        """Write what this process learns from now on."""
        self._redis = redis
        self._active = active
        self._refused = refused
        refused.on_learned = self._write

    def drop_changed(self) -> None:
        """Drop what was learned of instances whose lines changed."""
        services = self._active.current.services.values()
        self._refused.follow(each for config in services for each in config.instances)

    async def poll(self) -> None:
        """Read, beside the turns, which parameters other processes saw refused."""
        while True:
            self.drop_changed()
            with suppress(StateError):
                self._refused.update(await refused_parameters.read(self._redis, self._refused.fingerprints))
            await asyncio.sleep(REFUSALS_POLL_INTERVAL_S)

    def _write(self, name: str, fingerprint: str, parameter: str, refusal: Refusal) -> None:
        refused_parameters.note(
            self._redis,
            name,
            fingerprint=fingerprint,
            parameter=parameter,
            reason=refusal.reason,
            until_s=refusal.until_s,
        )

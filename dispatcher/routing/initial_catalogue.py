"""The catalogue that a process begins with: of its own file, or the active one where none was named."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog

from dispatcher.catalogue import load_catalogue
from dispatcher.catalogue.model import Catalogue
from dispatcher.errors import ConfigError, StartError, StateError
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.redis_url import parse_redis_url
from dispatcher.routing import instance_table
from dispatcher.settings import Settings

log = structlog.get_logger(__name__)

# A host may come up before the one with the file does; after this long whoever supervises tries again.
REDIS_JOIN_TIMEOUT_S: Final = 60.0
ASK_AGAIN_S: Final = 0.5

_followed: dict[str, Catalogue] = {}


def starting_catalogue(settings: Settings) -> Catalogue:
    """Return the catalogue that a process of these settings begins with; called without a running loop.

    A file with a mistake is refused as it is at a reload: where an earlier one is in force that is taken, so
    that a restart costs nothing that the save of the file did not.

    Where REDIS_URL names another Redis and DISPATCHER_CONFIG names no file, that is the active one there:
    a further host needs no YAML. Only where Redis knows none does a file at the usual place count.

    Raises:
        ConfigError: the file cannot be used and none is in force, or that is of another version.
        StartError: Redis is out of reach, or knows none and there is no file, for a minute.
    """
    if not settings.follows_redis:
        return _own(settings)
    if settings.redis_url not in _followed:
        _followed[settings.redis_url] = asyncio.run(_follow(settings))
    return _followed[settings.redis_url]


def _own(settings: Settings) -> Catalogue:
    """Return what the file says, or what is active while it has a mistake; a missing one is an error."""
    try:
        # `dispatcher up` or the control worker logs its warnings, not each process at its start.
        return load_catalogue(settings.dispatcher_config, log_warnings=False)
    except ConfigError as error:
        if not settings.dispatcher_config.exists():
            raise
        if settings.redis_url not in _followed:
            found = asyncio.run(_read_active(settings))
            if found is None:
                raise
            _followed[settings.redis_url] = found
            log.warning("catalogue refused, the active one is used", problems=error.problems)
        return _followed[settings.redis_url]


async def _read_active(settings: Settings) -> Catalogue | None:
    redis = RedisClient(connect(settings.redis_url))
    try:
        found = await instance_table.read_active(redis)
    except (ConfigError, StateError):
        return None
    finally:
        await redis.close()
    return None if found is None else found.catalogue


async def _follow(settings: Settings) -> Catalogue:
    """Ask until there is one."""
    redis = RedisClient(connect(settings.redis_url))
    give_up_at = time.monotonic() + REDIS_JOIN_TIMEOUT_S
    told = ""
    try:
        while True:
            found, missing = await _ask(redis, settings)
            if found is not None:
                return found
            if time.monotonic() > give_up_at:
                raise StartError(missing)
            if missing != told:
                log.warning("waiting for a catalogue", reason=missing)
                told = missing
            await asyncio.sleep(ASK_AGAIN_S)
    finally:
        await redis.close()


async def _ask(redis: RedisClient, settings: Settings) -> tuple[Catalogue | None, str]:
    """Return the catalogue, or why there is none yet."""
    address = parse_redis_url(settings.redis_url)
    try:
        found = await instance_table.read_active(redis)
    except StateError as error:
        return None, f"REDIS_URL: no Redis answers at {address}: {error}"
    if found is not None:
        return found.catalogue, ""
    if settings.dispatcher_config.exists():
        return load_catalogue(settings.dispatcher_config, log_warnings=False), ""
    return None, (
        f"no catalogue is in force in the Redis at {address}, and there is no {settings.dispatcher_config}; "
        "start the host with the YAML, run `dispatcher reload --config FILE` there, or set DISPATCHER_CONFIG"
    )

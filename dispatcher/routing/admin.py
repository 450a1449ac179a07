"""The operator's hand on single instances; each act is one atomic step and counts from the next pick on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import structlog

from dispatcher.errors import UnknownName
from dispatcher.messages import Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.lua_script import NamedValues, Script
from dispatcher.routing.published import read_fleets

log = structlog.get_logger(__name__)

HeldField: TypeAlias = Literal["weight", "cap"]

_NO_ARGUMENTS: NamedValues = {}
_DRAIN = Script.load("dispatcher.routing", "drain")
_HOLD = Script.load("dispatcher.routing", "clock", "hold")
_EJECT = Script.load("dispatcher.routing", "clock", "eject")
_RESTORE = Script.load("dispatcher.routing", "clock", "restore")


async def drain(redis: RedisClient, name: str) -> Service:
    """Give an instance no more calls, until it is restored; return its service.

    Raises:
        UnknownName: no instance has that name.
        StateError: Redis is out of reach.
    """
    service = await _act(redis, name, _DRAIN)
    log.info("instance drained", service=service, instance=name)
    return service


async def eject(redis: RedisClient, name: str, *, for_s: float) -> Service:
    """Give an instance no calls for some seconds, after which one probe decides; return its service.

    Raises:
        UnknownName: no instance has that name.
        StateError: Redis is out of reach.
    """
    service = await _act(redis, name, _EJECT, arguments={"for_ms": round(for_s * 1000)})
    log.info("instance ejected by hand", service=service, instance=name, for_s=for_s)
    return service


async def restore(redis: RedisClient, name: str) -> Service:
    """End draining and ejection of an instance, and count its health from nothing; return its service.

    Raises:
        UnknownName: no instance has that name.
        StateError: Redis is out of reach.
    """
    service = await _act(redis, name, _RESTORE)
    log.info("instance restored", service=service, instance=name)
    return service


async def hold(
    redis: RedisClient, name: str, field: HeldField, value: float | None, *, for_s: float | None, by: str
) -> Service:
    """Hold the weight or the cap of an instance at a value, over what is configured and learned.

    Args:
        redis: connection to the shared state.
        name: of the instance.
        field: which of the two.
        value: above 0; None ends what was held before.
        for_s: after so long it ends by itself; None until it is undone.
        by: who said so, for those who look.

    Raises:
        UnknownName: no instance has that name.
        StateError: Redis is out of reach.
    """
    arguments: NamedValues = {
        "field": f"{field}_held",
        "value": None if value is None else f"{value:.10g}",
        "for_ms": round((for_s or 0.0) * 1000),
        "by": by,
    }
    service = await _act(redis, name, _HOLD, arguments=arguments)
    log.info("instance held", service=service, instance=name, field=field, value=value, for_s=for_s, who=by)
    return service


async def _act(
    redis: RedisClient, name: str, script: Script, *, arguments: NamedValues = _NO_ARGUMENTS
) -> Service:
    fleets = await read_fleets(redis)
    for fleet in fleets:
        key = keys.instance(fleet.service, name)
        if name in fleet.names and await redis.run(script, keys={"instance": key}, arguments=arguments):
            return fleet.service
    known = [each for fleet in fleets for each in fleet.names]
    raise UnknownName(f"no instance is called {name!r}; {_what_there_is(known)}")


def _what_there_is(names: Sequence[str]) -> str:
    if not names:
        return "there are none yet: they are known when the first process has started"
    return f"there are {', '.join(names)}"

"""Weights and caps that an operator holds: what was typed is checked, and what holds then is told."""

from __future__ import annotations

import getpass
import re
from typing import Final

from dispatcher.errors import ConfigError
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import admin
from dispatcher.routing.admin import HeldField

AUTO: Final = "auto"
LEAST_WEIGHT: Final = 0.001
MOST: Final = 1_000_000
# Redis counts in ms, and 0 of them would last until it is undone.
LEAST_S: Final = 0.001
LONGEST_S: Final = 24 * 3600
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?) ?(s|m|h)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")


def seconds_of(written: str) -> float:
    """Return a length of time such as 30s, 5m or 1h in seconds.

    Raises:
        ValueError: it is no length of time, or too long.
    """
    match = _SPAN.fullmatch(written)
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not LEAST_S <= seconds <= LONGEST_S:
        raise ValueError(f"was {written!r}; expected a time such as 30s, 5m or 1h, at most 24h")
    return seconds


async def hold_instance(
    redis: RedisClient, name: str, field: HeldField, written: str, *, for_s: float | None, by: str = ""
) -> str:
    """Hold the weight or the cap of an instance as it was typed, and return what holds then.

    Raises:
        ConfigError: what was typed is no such value.
        UnknownName: no instance has that name.
        StateError: Redis is out of reach.
    """
    value = None if written == AUTO else _value_of(field, written)
    await admin.hold(redis, name, field, value, for_s=for_s, by=by or _user())
    if value is None:
        return f"{name}: {field} as configured and learned"
    ends = f"until `dispatcher {field} {name} {AUTO}`" if for_s is None else f"for {for_s:g} s"
    return f"{name}: {field} {value:g} {ends}"


def _value_of(field: HeldField, written: str) -> float:
    value = float(written) if _NUMBER.fullmatch(written) else 0.0
    is_whole = field == "weight" or value % 1 == 0
    least = LEAST_WEIGHT if field == "weight" else 1
    if not least <= value <= MOST or not is_whole:
        kind = "number" if field == "weight" else "whole number"
        raise ConfigError([f"value: was {written!r}; expected a {kind} of {least} to {MOST}, or {AUTO}"])
    return value


def _user() -> str:
    """Return who is logged in; a container may have no name for its user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"

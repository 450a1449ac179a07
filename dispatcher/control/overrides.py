"""Runtime overrides: settings that the tuner, or an operator over it, changes while everything runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Self, TypeAlias

from dispatcher.dialogue_store.phrase_cache import EXTRA_OVERRIDE
from dispatcher.messages import SERVICES, Service, TunerMode
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text

# Fronts and supervisor poll this often, one small read each.
OVERRIDES_POLL_INTERVAL_S: Final = 1.0

OverrideName: TypeAlias = Literal[
    "max_devices",
    "reply_kept_s",
    "tuner_mode",
    "throttled_instances",
    "phrase_cache_extra_mb",
    "overload_pin",
]
OVERLOAD_PIN: Final = "overload_pin"
_MODES: Final[Mapping[str, TunerMode]] = {"off": "off", "observe": "observe", "act": "act"}
_PIN: Final = re.compile(r"([0-5]) (\d{1,12}) (\S{1,200})")
_EXTRA: Final = "extra_workers."
_EXTRA_INSTANCES: Final = "extra_instances."
_RESTART: Final = "restart_instance."
_ADDED: Final = "added_instance."
_PERSONA: Final = "persona."


@dataclass(frozen=True, slots=True, kw_only=True)
class OverloadPin:
    """Step of overload that an operator chose for all fronts; who, and when (Unix time)."""

    step: int
    by: str
    at_s: float

    def as_text(self) -> str:
        """Return it as Redis holds it."""
        return f"{self.step} {self.at_s:.0f} {self.by}"

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """Return the pin of a text; None for one that makes no sense."""
        match = _PIN.fullmatch(text)
        return cls(step=int(match[1]), at_s=float(match[2]), by=match[3]) if match else None

    def in_words(self) -> str:
        """Return who pinned which step, and when."""
        at = datetime.fromtimestamp(self.at_s).astimezone()
        return f"step {self.step} was pinned by {self.by} at {at:%Y-%m-%d %H:%M:%S %z}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOverrides:
    """All overrides; None is "as configured".

    Attributes:
        max_devices: most devices at each front, where that is less than its own limit.
        reply_kept_s: for how long a front keeps replies that it has read.
        extra_workers: worker processes beside those of the Procfile, by queue.
        extra_instances: instances beside those of the YAML that are wanted, by service.
        added_instances: those that run, by name, each with its endpoint.
        restarts: instances that are to be restarted, as `service/instance`.
        phrase_cache_extra_mb: room of the phrase cache beside `max_mb`.
        is_throttled: instances are to have less of the host's CPU.
        tuner_mode: what an operator chose over the YAML.
        personas: what an operator set of personas, as JSON by name.
        overload_pin: step that an operator chose over the load.
    """

    max_devices: int | None = None
    reply_kept_s: float | None = None
    extra_workers: Mapping[str, int] = field(default_factory=dict)
    extra_instances: Mapping[Service, int] = field(default_factory=dict)
    added_instances: Mapping[str, str] = field(default_factory=dict)
    restarts: frozenset[str] = frozenset()
    phrase_cache_extra_mb: float = 0.0
    is_throttled: bool = False
    tuner_mode: TunerMode | None = None
    personas: Mapping[str, str] = field(default_factory=dict)
    overload_pin: OverloadPin | None = None


async def read_overrides(redis: RedisClient) -> RuntimeOverrides:
    """Return the overrides; one with a value that makes no sense counts as not set.

    Raises:
        StateError: Redis is out of reach.
    """
    written = as_text(await redis.execute("HGETALL", keys.OVERRIDES))
    devices = _above_zero(written, "max_devices")
    extra = {service: _above_zero(written, extra_workers_name(service)) for service in SERVICES}
    more = {service: _above_zero(written, f"{_EXTRA_INSTANCES}{service}") for service in SERVICES}
    return RuntimeOverrides(
        max_devices=None if devices is None else max(1, int(devices)),
        reply_kept_s=_above_zero(written, "reply_kept_s"),
        extra_workers={service: int(count) for service, count in extra.items() if count},
        extra_instances={service: int(count) for service, count in more.items() if count},
        added_instances=_below(written, _ADDED),
        restarts=frozenset(_below(written, _RESTART)),
        phrase_cache_extra_mb=_above_zero(written, EXTRA_OVERRIDE) or 0.0,
        is_throttled=_above_zero(written, "throttled_instances") is not None,
        tuner_mode=_MODES.get(written.get("tuner_mode", "")),
        personas=_below(written, _PERSONA),
        overload_pin=OverloadPin.from_text(written.get(OVERLOAD_PIN, "")),
    )


async def set_override(redis: RedisClient, name: OverrideName | str, value: float | str | None) -> None:
    """Set an override; None and 0 put it back to what is configured.

    Raises:
        StateError: Redis is out of reach.
    """
    if value:
        await redis.execute("HSET", keys.OVERRIDES, name, value)
    else:
        await redis.execute("HDEL", keys.OVERRIDES, name)


def extra_workers_name(queue: str) -> str:
    """Return the name of the override for further worker processes of a queue."""
    return f"{_EXTRA}{queue}"


def added_instance_name(instance: str) -> str:
    """Return the name of the override with the endpoint of an instance beside those of the YAML."""
    return f"{_ADDED}{instance}"


def restart_name(target: str) -> str:
    """Return the name of the override that asks for the restart of `service/instance`."""
    return f"{_RESTART}{target}"


def persona_name(persona: str) -> str:
    """Return the name of the override with what an operator set of a persona."""
    return f"{_PERSONA}{persona}"


def _below(written: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in written.items() if name.startswith(prefix)}


def _above_zero(written: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(written.get(name, ""))
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None

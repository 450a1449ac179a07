"""The instances as all processes see them: configured by the active catalogue, learned from calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dispatcher.catalogue.codec import decode, digest, encode
from dispatcher.catalogue.model import Catalogue, HealthRules, Instance
from dispatcher.messages import SERVICES, Algorithm, Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text, clock_ms
from dispatcher.redis_client.lua_script import Script
from dispatcher.routing.rules import constants

NOW: Final = "now"
# Calls that succeeded not longer ago than this show that an instance is healthy.
SERVING_S: Final = 60.0
MISSING_CHARACTERS: Final = 400

_CHECKED = Script.load("dispatcher.routing", "clock", "checked", constants=constants)
_PUBLISH = Script.load("dispatcher.routing", "clock", "publish")
_SET_FIELD = Script.load("dispatcher.routing", "set_field")
_PRUNE = Script.load("dispatcher.routing", "clock", "prune")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckEvidence:
    """What a health check saw beside its result.

    Attributes:
        is_verdict: the result counts; else it only says that the instance was looked at.
        page_worked: a probe page answered; False where a call was made because none does; None is no news.
        called: a call was made to see whether it succeeds.
        is_failing: calls fail by the instance's line: its model, its key.
        missing: what the line lacks before it can be called; no call goes to it then.
    """

    is_verdict: bool = True
    page_worked: bool | None = None
    called: bool = False
    is_failing: bool = False
    missing: str = ""


NO_FURTHER_EVIDENCE: Final = CheckEvidence()


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedHealth:
    """What calls and checks have shown of an instance so far.

    Attributes:
        is_in_service: picks may choose it without a probe.
        is_held: an operator, or the instance itself, said until when it gets no calls.
        page_worked: one of its probe pages has answered before.
        last_call_succeeded: of those that users made; also False before the first.
        is_serving: that was so in the last minute.
        called_s_ago: since the last call that a check made; None before the first.
    """

    is_in_service: bool = True
    is_held: bool = False
    page_worked: bool = False
    last_call_succeeded: bool = False
    is_serving: bool = False
    called_s_ago: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCatalogue:
    """The catalogue that all processes go by.

    Attributes:
        revision: counts every change of it.
        activated_at_ms: when an operator chose it, by the clock of Redis.
    """

    revision: int
    activated_at_ms: int
    catalogue: Catalogue


async def publish(
    redis: RedisClient, catalogue: Catalogue, *, activated_at_ms: int | Literal["now"] = NOW
) -> PublishedCatalogue:
    """Activate a catalogue, unless one that was chosen later is; return the one that is.

    What was learned from calls stays. An instance that is not in it gets no new call; it is forgotten
    when its last call is over.

    Raises:
        StateError: Redis is out of reach.
        ConfigError: the active one is of a version that this process does not understand.
    """
    revision, at_ms, definition = await redis.run(
        _PUBLISH,
        keys={"catalogue": keys.CATALOGUE},
        rest_keys=[key for each in SERVICES for key in (keys.fleet(each), keys.leaving(each))],
        arguments={
            "definition": encode(catalogue),
            "digest": digest(catalogue),
            "chosen_at_ms": activated_at_ms,
            "reloaded_channel": keys.RELOADED_CHANNEL,
        },
        rest=[word for each in SERVICES for word in (each, keys.instance(each, ""))],
    )
    await prune(redis)
    return PublishedCatalogue(
        revision=int(revision),
        activated_at_ms=int(at_ms),
        catalogue=decode(definition) if definition else catalogue,
    )


async def read_active(redis: RedisClient) -> PublishedCatalogue | None:
    """Return the catalogue that all processes go by, or None where none was published yet.

    Raises:
        StateError: Redis is out of reach.
        ConfigError: it is of a version that this process does not understand.
    """
    found = await redis.execute("HMGET", keys.CATALOGUE, "revision", "chosen_at_ms", "definition")
    if None in found:
        return None
    revision, at_ms, definition = found
    return PublishedCatalogue(
        revision=int(revision), activated_at_ms=int(at_ms), catalogue=decode(definition)
    )


async def publish_instances(
    redis: RedisClient, service: Service, algorithm: Algorithm, instances: Sequence[Instance]
) -> None:
    """Write the instances of one service beside any catalogue: a simulated service has no file."""
    for instance in instances:
        redis.send_nowait(
            *("HSET", keys.instance(service, instance.name)),
            *("weight", instance.weight, "cap", instance.max_concurrent),
            *("priority", instance.priority, "endpoint", instance.endpoint),
        )
    names = ",".join(instance.name for instance in instances)
    await redis.execute("HSET", keys.fleet(service), "algorithm", algorithm, "names", names)


async def prune(redis: RedisClient) -> list[str]:
    """Remove the instances that left and whose last call is over; return their names."""
    removed: list[str] = []
    for service in SERVICES:
        prefixes = {"instance_prefix": keys.instance(service, ""), "leases_prefix": keys.leases(service, "")}
        names = await redis.run(_PRUNE, keys={"leaving": keys.leaving(service)}, arguments=prefixes)
        removed += [name.decode() for name in names]
    return removed


async def note_check(
    redis: RedisClient,
    instance: Instance,
    *,
    reason: str,
    rules: HealthRules,
    cpu_ratio: float | None = None,
    memory_ratio: float | None = None,
    evidence: CheckEvidence = NO_FURTHER_EVIDENCE,
) -> str:
    """Count one active health check; return the new state in a word or two where that changed it.

    Args:
        redis: connection to the shared state.
        instance: which one was checked.
        reason: why it failed, shown by `dispatcher status`; a check without a reason has passed.
        rules: how many in a row change the state.
        cpu_ratio: what the instance said that it uses, 0..1; None where it does not say.
        memory_ratio: likewise.
        evidence: what it saw beside that.
    """
    changed = await redis.run(
        _CHECKED,
        keys={"instance": keys.instance(instance.service, instance.name)},
        arguments={
            "verdict": not reason if evidence.is_verdict else None,
            "failure_threshold": rules.failure_threshold,
            "recovery_threshold": rules.recovery_threshold,
            "reason": reason[: constants.REASON_CHARACTERS],
            "cpu": cpu_ratio,
            "memory": memory_ratio,
            "missing": evidence.missing[:MISSING_CHARACTERS],
            "page_worked": evidence.page_worked,
            "called": evidence.called,
            "is_failing": evidence.is_failing,
        },
    )
    return str(changed.decode())


async def read_health(redis: RedisClient, instance: Instance) -> LearnedHealth:
    """Return what is known of an instance's health.

    Raises:
        StateError: Redis is out of reach.
    """
    fields, clock = await asyncio.gather(
        read(redis, instance.service, instance.name), redis.submit(("TIME",))
    )
    now_ms = clock_ms(clock)

    def s_ago(field: str) -> float | None:
        return (now_ms - float(fields[field])) / 1000 if fields.get(field) else None

    succeeded, failed = s_ago("latency_at_ms"), s_ago("fault_at_ms")
    is_out = fields.get("healthy") == "0" or "failing" in fields
    is_good = succeeded is not None and (failed is None or failed > succeeded) and not is_out
    return LearnedHealth(
        is_in_service=not is_out and float(fields.get("ejected_until_ms") or 0) == 0,
        is_held=float(fields.get("held_until_ms") or 0) > now_ms,
        page_worked=fields.get("page_worked") == "1",
        last_call_succeeded=is_good,
        is_serving=is_good and succeeded is not None and succeeded < SERVING_S,
        called_s_ago=s_ago("called_at_ms"),
    )


async def set_field(redis: RedisClient, service: Service, name: str, *, field: str, value: str) -> bool:
    """Set what the tuner wants of an instance, an empty text removes it; return whether it is known.

    Raises:
        StateError: Redis is out of reach.
    """
    arguments = {"field": field, "value": value}
    instance = keys.instance(service, name)
    return bool(await redis.run(_SET_FIELD, keys={"instance": instance}, arguments=arguments))


async def read(redis: RedisClient, service: Service, name: str) -> Mapping[str, str]:
    """Return all fields of one instance, as text."""
    return as_text(await redis.execute("HGETALL", keys.instance(service, name)))

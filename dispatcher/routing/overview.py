"""Snapshot of the whole fleet for an operator: configured, learned, and under way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from dispatcher.messages import QUEUES, Priority, Service
from dispatcher.percentile import percentile
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text, clock_ms
from dispatcher.routing import refused_parameters
from dispatcher.routing.instance_fields import (
    HeldValue,
    cap_of,
    number_of,
    read_held,
    reported,
    response_times_ms,
)
from dispatcher.routing.published import Published, read_fleets, submit_all
from dispatcher.routing.rules import constants

State = Literal[
    "ready",
    "slow",
    "slow start",
    "half-open",
    "ejected",
    "down",
    "failing",
    "not configured",
    "draining",
    "leaving",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """One instance as the pick script sees it.

    Attributes:
        priority: what a pick goes by: the tuner's wish where it has one, else as configured.
        weight: as configured; effective_weight: what a pick uses now, smaller during a slow start.
        cap: most calls at once now; the tuner may have lowered what is configured.
        in_flight: leases that have not expired.
        back_in_s: until the ejection ends; None without one.
        latency_ewma_ms: peak EWMA of the calls that succeeded; None before the first.
        error_ratio: recent share of calls that failed, 0..1; failures: calls that failed in a row.
        check_run: active checks in a row, > 0 passed, < 0 failed.
        last_reason: what last went wrong, in words; empty when that is not known.
        failed_s_ago: since the last call that failed, succeeded_s_ago: since one or a check passed; or None.
        calls: ended so far, however they did.
        latency_mean_ms, latency_p95_ms: of the last hundred calls that succeeded; None before the first.
        errors_theirs: calls that failed by the fault of the instance; errors_ours by that of a setting or
            request of ours; errors_caller by what the device sent.
        ejections: for failed calls, or because the instance asked to be left alone; not those of an operator.
        cpu_ratio, memory_ratio: what the instance said that it uses, 0..1; None where it does not say.
        cached_ratio: recent share of an LLM's prompts that it had read before; None where it does not say.
        fault_began_at_s, fault_at_s: Unix time of the first and last failed call of the last fault, or None.
        refused: parameters that are not sent to it, with what it said to each.
        weight_held, cap_held: what an operator holds over what is configured and learned.
    """

    service: Service
    name: str
    endpoint: str
    priority: Priority
    weight: float
    effective_weight: float
    cap: int
    in_flight: int
    state: State
    back_in_s: float | None
    latency_ewma_ms: float | None
    error_ratio: float
    failures: int
    check_run: int
    last_reason: str
    failed_s_ago: float | None
    succeeded_s_ago: float | None = None
    calls: int = 0
    latency_mean_ms: float | None = None
    latency_p95_ms: float | None = None
    errors_ours: int = 0
    errors_theirs: int = 0
    errors_caller: int = 0
    ejections: int = 0
    cpu_ratio: float | None = None
    memory_ratio: float | None = None
    cached_ratio: float | None = None
    fault_began_at_s: float | None = None
    fault_at_s: float | None = None
    refused: Mapping[str, str] = field(default_factory=dict, hash=False)
    weight_held: HeldValue | None = None
    cap_held: HeldValue | None = None

    @property
    def is_usable(self) -> bool:
        """Whether a pick may choose it at all, if it has room."""
        return self.state in ("ready", "slow", "slow start", "half-open")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """The instances of one service, in the order of the YAML; then those that left it and still have calls.

    Attributes:
        algorithm: empty when no process has published the service yet.
        waiting: calls that wait for a free slot.
    """

    service: Service
    algorithm: str
    waiting: int
    instances: tuple[InstanceView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All services, how many tasks wait in each queue, and how many messages of it nobody could read.

    Attributes:
        dropped: over the last day or so; a queue without any is left out.
    """

    services: tuple[ServiceView, ...]
    queues: Mapping[str, int]
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def instances(self) -> tuple[InstanceView, ...]:
        """The instances of all services."""
        return tuple(instance for service in self.services for instance in service.instances)


async def read_overview(redis: RedisClient) -> Overview:
    """Return the fleet as it is now: the names first, then all the rest in one go.

    Raises:
        StateError: Redis is out of reach.
    """
    fleets, clock = await asyncio.gather(read_fleets(redis), redis.submit(("TIME",)))
    now_ms = clock_ms(clock)
    lengths, dropped, services = await asyncio.gather(
        submit_all(redis, [("LLEN", queue) for queue in QUEUES]),
        redis.submit(("HGETALL", keys.DROPPED_MESSAGES)),
        asyncio.gather(*(_read_service(redis, fleet, now_ms) for fleet in fleets)),
    )
    return Overview(
        services=tuple(services),
        queues=dict(zip(QUEUES, map(int, lengths), strict=True)),
        dropped={queue: int(count) for queue, count in as_text(dropped).items()},
    )


async def count_waiting(redis: RedisClient, service: Service) -> int:
    """Return how many calls wait for a slot of a service; StateError where Redis is out of reach."""
    return int(await _submit_waiting(redis, service, clock_ms(await redis.execute("TIME"))))


def _submit_waiting(redis: RedisClient, service: Service, now_ms: int) -> asyncio.Future[Any]:
    """Return the future number of calls that wait: those that have looked for a slot lately."""
    since = f"({now_ms - constants.WAITER_TTL_MS}"
    return redis.submit(("ZCOUNT", keys.line("seen", service), since, "+inf"))


async def _read_service(redis: RedisClient, fleet: Published, now_ms: int) -> ServiceView:
    waiting, views = await asyncio.gather(
        _submit_waiting(redis, fleet.service, now_ms),
        asyncio.gather(
            *(
                _read_instance(redis, fleet.service, name, now_ms=now_ms)
                for name in (*fleet.names, *fleet.leaving)
            )
        ),
    )
    configured, left = views[: len(fleet.names)], views[len(fleet.names) :]
    leaving = [replace(view, state="leaving") for view in left if view.in_flight]
    return ServiceView(
        service=fleet.service,
        algorithm=fleet.algorithm,
        waiting=int(waiting),
        instances=(*configured, *leaving),
    )


async def _read_instance(redis: RedisClient, service: Service, name: str, *, now_ms: int) -> InstanceView:
    flat, in_flight, refused = await asyncio.gather(
        redis.submit(("HGETALL", keys.instance(service, name))),
        redis.submit(("ZCOUNT", keys.leases(service, name), f"({now_ms}", "+inf")),
        redis.submit(("HGETALL", keys.refused(name))),
    )
    view = _view(service, name, fields=as_text(flat), in_flight=int(in_flight), now_ms=now_ms)
    view = replace(view, refused=refused_parameters.as_shown(as_text(refused)))
    return _measured(view, as_text(flat))


def _view(
    service: Service, name: str, *, fields: Mapping[str, str], in_flight: int, now_ms: int
) -> InstanceView:
    weight = number_of(fields, "weight", 1)
    ejected_until_ms = number_of(fields, "ejected_until_ms")
    latency = fields.get("latency_ewma_ms")
    held_weight, held_cap = (read_held(fields.get(f"{name}_held", ""), now_ms) for name in ("weight", "cap"))
    counted = held_weight.value if held_weight else weight * number_of(fields, "adjustment", 1)
    return InstanceView(
        service=service,
        name=name,
        endpoint=fields.get("endpoint", ""),
        priority=_priority(fields.get("priority_override") or fields.get("priority", "")),
        weight=weight,
        effective_weight=counted * _slow_start(fields, now_ms),
        cap=cap_of(fields, now_ms),
        in_flight=in_flight,
        state=_state(fields, now_ms),
        back_in_s=(ejected_until_ms - now_ms) / 1000 if ejected_until_ms > now_ms else None,
        latency_ewma_ms=float(latency) if latency else None,
        error_ratio=number_of(fields, "error_ratio"),
        failures=int(number_of(fields, "failures")),
        check_run=int(number_of(fields, "check_run")),
        last_reason=fields.get("unconfigured") or fields.get("failing") or fields.get("last_reason", ""),
        failed_s_ago=_s_ago(fields, "failed_at_ms", now_ms),
        succeeded_s_ago=_succeeded_s_ago(fields, now_ms),
        weight_held=held_weight,
        cap_held=held_cap,
    )


def _measured(view: InstanceView, fields: Mapping[str, str]) -> InstanceView:
    """Return the view with what was counted and reported."""
    times_ms = response_times_ms(fields)
    return replace(
        view,
        calls=int(number_of(fields, "calls")),
        latency_mean_ms=sum(times_ms) / len(times_ms) if times_ms else None,
        latency_p95_ms=percentile(times_ms, 0.95),
        errors_ours=int(number_of(fields, "errors_ours")),
        errors_theirs=int(number_of(fields, "errors_theirs")),
        errors_caller=int(number_of(fields, "errors_caller")),
        ejections=int(number_of(fields, "ejections_count")),
        cpu_ratio=reported(fields, "cpu"),
        memory_ratio=reported(fields, "memory"),
        cached_ratio=reported(fields, "cached_ratio"),
        fault_began_at_s=_at_s(fields, "fault_began_ms"),
        fault_at_s=_at_s(fields, "fault_at_ms"),
    )


def _succeeded_s_ago(fields: Mapping[str, str], now_ms: int) -> float | None:
    """Return the time since the last call that succeeded, or check that passed and found all well."""
    passed = "checked_at_ms" if number_of(fields, "check_run") > 0 else ""
    known = (_s_ago(fields, name, now_ms) for name in ("latency_at_ms", passed) if name)
    return min((each for each in known if each is not None), default=None)


def _s_ago(fields: Mapping[str, str], field: str, now_ms: int) -> float | None:
    at_ms = number_of(fields, field)
    return max(0.0, (now_ms - at_ms) / 1000) if at_ms else None


def _at_s(fields: Mapping[str, str], field: str) -> float | None:
    at_ms = number_of(fields, field)
    return at_ms / 1000 if at_ms else None


def _state(fields: Mapping[str, str], now_ms: int) -> State:
    """Return the first thing that keeps calls away, in the order in which the pick script asks."""
    if fields.get("unconfigured"):
        return "not configured"
    if fields.get("draining") == "1":
        return "draining"
    if fields.get("failing"):
        return "failing"
    if fields.get("healthy") == "0":
        return "down"
    ejected_until_ms = number_of(fields, "ejected_until_ms")
    if ejected_until_ms > 0:
        return "ejected" if ejected_until_ms > now_ms else "half-open"
    starts: State = "slow start" if _slow_start(fields, now_ms) < 1 else "ready"
    return "slow" if fields.get("slow_since_ms") else starts


def _slow_start(fields: Mapping[str, str], now_ms: int) -> float:
    """Return which part of its weight an instance has, 0.1..1."""
    recovered_at_ms = number_of(fields, "recovered_at_ms")
    age_ms = now_ms - recovered_at_ms
    if recovered_at_ms == 0 or age_ms >= constants.SLOW_START_MS:
        return 1.0
    return max(constants.SLOW_START_FLOOR, age_ms / constants.SLOW_START_MS)


def _priority(written: str) -> Priority:
    return next((priority for priority in get_args(Priority) if priority == written), "normal")

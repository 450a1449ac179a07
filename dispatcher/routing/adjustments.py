"""Weight factors of instances: their performance since the last step, and the next factors from it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from dispatcher.messages import Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text, clock_ms
from dispatcher.redis_client.lua_script import Script
from dispatcher.routing.instance_fields import cap_of, number_of, read_held, reported, response_times_ms
from dispatcher.routing.rules.weights import Adjustment, Performance, busy_ratio, next_adjustments

_ADJUST = Script.load("dispatcher.routing", "adjust")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """One instance as it is found."""

    name: str
    fields: Mapping[str, str]
    now_ms: float

    @property
    def kind(self) -> str:
        """Its priority: weights only choose among those of the same."""
        return self.fields.get("priority_override") or self.fields.get("priority", "normal")

    @property
    def calls(self) -> int:
        """Calls that ended so far."""
        return int(self.fields.get("calls", 0))

    def performance(self) -> Performance:
        """Return how it did since its factor was last written; before the first time nothing is known.

        One whose weight an operator holds is not compared: its factor waits until that ends.
        """
        since_ms = number_of(self.fields, "adjusted_at_ms", self.now_ms)
        calls = self.calls - int(number_of(self.fields, "adjusted_calls", self.calls))
        mean_ms = self._mean_ms(calls) if number_of(self.fields, "latency_at_ms") > since_ms else None
        period_s = max(self.now_ms - since_ms, 1) / 1000
        cap = cap_of(self.fields, self.now_ms)
        return Performance(
            name=self.name,
            adjustment=number_of(self.fields, "adjustment", 1.0),
            lean=int(number_of(self.fields, "adjusted_lean")),
            usable=self._usable,
            calls=calls,
            mean_ms=mean_ms,
            busy_ratio=busy_ratio(calls=calls, mean_ms=mean_ms or 0.0, period_s=period_s, cap=max(1, cap)),
            error_ratio=min(1.0, number_of(self.fields, "error_ratio")),
            cpu_ratio=reported(self.fields, "cpu"),
            memory_ratio=reported(self.fields, "memory"),
        )

    @property
    def _usable(self) -> bool:
        out = self.fields.get("draining") == "1" or self.fields.get("healthy") == "0"
        out = out or read_held(self.fields.get("weight_held", ""), self.now_ms) is not None
        return not out and number_of(self.fields, "ejected_until_ms") == 0

    def _mean_ms(self, calls: int) -> float | None:
        """Return the mean of the response times of the last calls; EWMA and older times would be stale."""
        times = response_times_ms(self.fields)[-max(0, calls) :]
        return max(1.0, sum(times) / len(times)) if calls > 0 and times else None


async def adjust(redis: RedisClient, service: Service, *, now_ms: float | None = None) -> list[Adjustment]:
    """Write the next factor of every instance of a service; return all of them.

    Args:
        redis: connection to the shared state.
        service: whose instances are compared, those of the same priority with each other.
        now_ms: the time of a simulation; without it the clock of Redis counts.

    Raises:
        StateError: Redis is out of reach.
    """
    instances = await _read(redis, service, now_ms)
    kinds: dict[str, list[Performance]] = defaultdict(list)
    for it in instances:
        kinds[it.kind].append(it.performance())
    found = {each.name: each for kind in kinds.values() for each in next_adjustments(kind)}
    if instances:
        factors = [word for it in instances for word in (found[it.name].after, found[it.name].lean, it.calls)]
        names = [keys.instance(service, it.name) for it in instances]
        arguments = {"now_ms": round(instances[0].now_ms)}
        await redis.run(_ADJUST, rest_keys=names, arguments=arguments, rest=factors)
    return [found[it.name] for it in instances]


async def _read(redis: RedisClient, service: Service, now_ms: float | None) -> list[_Known]:
    names, clock = await asyncio.gather(
        redis.submit(("HGET", keys.fleet(service), "names")), redis.submit(("TIME",))
    )
    at_ms = clock_ms(clock) if now_ms is None else now_ms
    in_order = [name for name in (names or b"").decode().split(",") if name]
    flat = await asyncio.gather(
        *(redis.submit(("HGETALL", keys.instance(service, each))) for each in in_order)
    )
    return [
        _Known(name=name, fields=as_text(fields), now_ms=at_ms)
        for name, fields in zip(in_order, flat, strict=True)
    ]

"""The Lua scripts beside their model in plain Python, under random interleavings on the embedded Valkey.

The model runs first and names the answers; then all steps of an example travel in one batch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, Final, TypeAlias, cast, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.catalogue.model import Instance
from dispatcher.messages import Algorithm, Priority, Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text
from dispatcher.routing import instance_table, leases
from dispatcher.routing.leases import Slot
from tests.support.routing_events import MOODS, Mood, Step
from tests.support.routing_model import Full, Picked, RoutingModel
from tests.support.routing_model_outcomes import ModelInstance

EXAMPLES: Final = 60
STEPS: Final = 60
PRIORITIES: Final[tuple[Priority, ...]] = ("normal", "normal", "normal", "high", "low", "standby")
NUMBERS: Final = count()
Command: TypeAlias = Coroutine[Any, Any, object]


NUMBER: Final = st.integers(0, 2**32 - 1)
INSTANCE: Final[st.SearchStrategy[dict[str, Any]]] = st.builds(
    dict,
    cap=st.integers(1, 3),
    weight=st.sampled_from((0.5, 1.0, 3.0)),
    priority=st.sampled_from(PRIORITIES),
    cpu=st.sampled_from((None, 0.2, 0.9)),
)


class Dice:
    """The dice of the picks, thrown beforehand; stands for the module `random`."""

    def __init__(self) -> None:
        self.thrown: deque[float] = deque()

    def random(self) -> float:
        return self.thrown.popleft()


class Example:
    """Events that the model goes through, and what has to be sent so that Redis goes through the same."""

    def __init__(self, redis: RedisClient, service: Service, model: RoutingModel, dice: Dice) -> None:
        self.model = model
        self.commands: list[Command] = []
        self.wanted: list[object] = []
        self._redis = redis
        self._service = service
        self._dice = dice
        self._open: list[tuple[str, str]] = []
        self._failed: dict[str, set[str]] = {}
        self._number = 0

    def take(self, step: Step) -> None:
        """Let one event happen."""
        getattr(self, f"_{step.kind}")(step)

    def _expect(self, wanted: object, command: Command) -> None:
        self.wanted.append(wanted)
        self.commands.append(command)

    def _pick(self, step: Step) -> None:
        self._number += 1
        self._ask_for(f"{self._number:03}", step)

    def _poll(self, step: Step) -> None:
        if line := self.model.in_line:
            self._ask_for(line[step.which % len(line)], step)

    def _ask_for(self, call: str, step: Step) -> None:
        now_ms, failed = self.model.now, sorted(self._failed.get(call, ()))
        wanted = self.model.pick(
            call,
            ttl=keys.LEASE_TTL_MS,
            dice=step.dice,
            failed=failed,
            mode=step.mode,
            order=step.order,
            dialogue=step.dialogue,
        )
        if isinstance(wanted, Picked):
            self._open.append((call, wanted.name))
        self._dice.thrown.append(step.dice)

        async def pick() -> Picked | Full:
            found = await leases.pick(
                *(self._redis, self._service),
                turn_id="model",
                excluded=failed,
                lease_id=call,
                mode=step.mode,
                order=step.order,
                dialogue=step.dialogue,
                now_ms=now_ms,
            )
            return Picked(found.name, found.probe) if isinstance(found, Slot) else Full(waits=found.full)

        self._expect(wanted, pick())

    def _finish(self, step: Step) -> None:
        if not self._open:
            return
        call, name = self._open.pop(step.which % len(self._open))
        first_ms = None if step.which % 3 == 0 else step.latency_ms * 0.8
        rest_ms = step.retry_after_ms if step.outcome == "failed" else None
        wanted = self.model.finish(
            call, name, step.outcome, latency=step.latency_ms, first=first_ms, retry_after=rest_ms
        )
        command = leases.finish(
            self._redis,
            self._slot(call, name),
            outcome=step.outcome,
            latency_ms=step.latency_ms,
            first_ms=first_ms,
            retry_after_ms=rest_ms,
            now_ms=self.model.now,
        )
        self._expect(wanted, command)
        if step.outcome == "failed" and step.which % 2:
            self._failed.setdefault(call, set()).add(name)
            self._ask_for(call, step)

    def _renew(self, step: Step) -> None:
        if self._open:
            call, name = self._open[step.which % len(self._open)]
            held = self.model.renew(call, name, keys.LEASE_TTL_MS)
            slots = [self._slot(call, name)]
            self._expect(int(held), leases.renew(self._redis, slots, now_ms=self.model.now))

    def _leave(self, step: Step) -> None:
        if line := self.model.in_line:
            call = line[step.which % len(line)]
            self.model.leave(call)
            self._expect(None, self._later(lambda: leases.leave(self._redis, self._service, call)))

    def _pause(self, step: Step) -> None:
        self.model.now += step.pause_ms

    def _drain(self, step: Step) -> None:
        it = self._instance(step)
        it.draining = not it.draining
        self._write(it.name, "draining", int(it.draining))

    def _mark_down(self, step: Step) -> None:
        it = self._instance(step)
        it.healthy = False
        self._write(it.name, "healthy", 0)

    def _instance(self, step: Step) -> ModelInstance:
        return list(self.model.instances.values())[step.which % len(self.model.instances)]

    def _write(self, name: str, field: str, value: int) -> None:
        key = keys.instance(self._service, name)
        self._expect(None, self._later(lambda: self._redis.send_nowait("HSET", key, field, value)))

    def _slot(self, call: str, name: str) -> Slot:
        return Slot(service=self._service, name=name, lease_id=call, in_flight=1, reason="")

    @staticmethod
    async def _later(send: Callable[[], None]) -> None:
        send()

    async def matches(self) -> None:
        """Send all of it in one batch, in order, and compare the answers and what is left in Redis."""
        found = await asyncio.gather(*self.commands)
        for number, (each, wanted) in enumerate(zip(found, self.wanted, strict=True)):
            assert each == wanted, f"answer {number} of {len(found)}"
        line = await self._redis.execute("ZRANGE", keys.waiting(self._service), 0, -1)
        assert [call.decode() for call in line] == self.model.in_line
        for it in self.model.instances.values():
            await self._compare(it)

    async def _compare(self, it: ModelInstance) -> None:
        held = await self._redis.execute("ZRANGE", keys.leases(self._service, it.name), 0, -1)
        assert {call.decode() for call in held} >= set(it.leases)
        fields = as_text(await self._redis.execute("HGETALL", keys.instance(self._service, it.name)))
        known = {name: float(fields.get(field) or 0) for name, field in FIELDS.items()}
        assert known == pytest.approx({name: float(getattr(it, name) or 0) for name in FIELDS}, rel=1e-9), it
        assert fields.get("recent", "") == it.recent


FIELDS: Final = {
    "current": "current",
    "ewma": "latency_ewma_ms",
    "errors": "error_ratio",
    "failures": "failures",
    "ejected_until": "ejected_until_ms",
    "ejections": "ejections",
    "trial": "trial_ms",
    "recovered_at": "recovered_at_ms",
    "first": "first_ms",
    "slow_since": "slow_since_ms",
    "probed_at": "probed_at_ms",
}


@pytest.fixture
def dice(monkeypatch: pytest.MonkeyPatch) -> Dice:
    thrown = Dice()
    monkeypatch.setattr(leases, "random", thrown)
    return thrown


@pytest.fixture
async def loaded(redis: RedisClient) -> RedisClient:
    """A client of a Redis that has the scripts: one that it lacks would run after what is behind it."""
    for script in (leases._PICK, leases._FINISH, leases._RENEW):
        await redis.execute("SCRIPT", "LOAD", script.source)
    return redis


async def prepare(redis: RedisClient, service: Service, example: RoutingModel) -> None:
    """Publish the instances of an example."""
    instances = [
        Instance(
            service=service,
            name=it.name,
            endpoint="http://127.0.0.1:9",
            weight=it.weight,
            priority=it.priority,
            max_concurrent=it.cap,
        )
        for it in example.instances.values()
    ]
    await instance_table.publish_instances(redis, service, example.algorithm, instances)
    for it in example.instances.values():
        if it.cpu is not None:
            redis.send_nowait("HSET", keys.instance(service, it.name), "cpu", it.cpu)
    if example.cap is not None:
        redis.send_nowait("HSET", keys.fleet(service), "cap", example.cap)


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fleet=st.tuples(st.lists(INSTANCE, min_size=1, max_size=4), st.sampled_from((None, None, 3))),
    events=st.tuples(st.sampled_from(MOODS), st.lists(NUMBER, min_size=STEPS, max_size=STEPS)),
)
async def test_scripts_do_as_the_model_under_any_interleaving(
    loaded: RedisClient,
    dice: Dice,
    algorithm: Algorithm,
    fleet: tuple[list[dict[str, Any]], int | None],
    events: tuple[Mood, list[int]],
) -> None:
    (instances, cap), (mood, numbers) = fleet, events
    service = cast("Service", f"{algorithm}-{next(NUMBERS)}")
    named = [ModelInstance(name="ABCD"[at], **each) for at, each in enumerate(instances)]
    example = Example(loaded, service, RoutingModel(algorithm, named, cap), dice)
    dice.thrown.clear()
    await prepare(loaded, service, example.model)
    for number in numbers:
        example.take(mood.step(number))
    await example.matches()

"""Tasks that wait in line for a slot, and the limit of the pool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.routing.leases import Slot
from dispatcher.routing.router import Router
from tests.support.waiting import WAIT_TIMEOUT_S, eventually
from tests.unit.workers.celery_ext.test_pools import LIMIT, Worker, worker
from workers.celery_ext import pools

__all__ = ["worker"]


def run_tasks(
    worker: Worker,
    body: Callable[[int], Coroutine[Any, Any, None]],
    count: int,
    *,
    timeout_s: float = WAIT_TIMEOUT_S,
) -> None:
    """Have so many tasks run a coroutine on the loop, each with its number."""

    def work(number: int) -> None:
        worker.loop.run(body(number), timeout_s=timeout_s)

    task = worker.task(work)
    for number in range(count):
        worker.run(task, number)


def test_a_task_that_waits_in_line_for_a_slot_takes_no_place_of_the_pool(worker: Worker) -> None:
    door, running, line = asyncio.Event(), list[int](), worker.router.line

    async def wait(number: int) -> None:
        running.append(number)
        freed = asyncio.create_task(line.wait("llm", f"lease-{number}", ahead=0))
        await door.wait()
        line.wake(f"lease-{number}")
        await freed
        line.end(f"lease-{number}")

    run_tasks(worker, wait, 3 * LIMIT)
    eventually(lambda: len(running) == 3 * LIMIT, what="all of them wait in line")
    worker.loop.call_on_loop(door.set)
    assert worker.ends(3 * LIMIT) == ["done"] * 3 * LIMIT
    assert len(line) == 0


def test_where_every_place_of_the_pool_holds_a_slot_further_tasks_go_in_line(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, running, line = asyncio.Event(), list[int](), worker.router.line
    monkeypatch.setattr(pools, "slots_for", lambda *_: LIMIT)
    monkeypatch.setattr(Router, "held_slots", property(lambda _: min(len(running), LIMIT)))

    async def hold_or_wait(number: int) -> None:
        running.append(number)
        if number < LIMIT:
            line.on_changed()  # as when its slot is given to it
        else:
            await line.wait("llm", f"lease-{number}", ahead=0)
        await door.wait()
        line.end(f"lease-{number}")

    run_tasks(worker, hold_or_wait, 3 * LIMIT)
    eventually(lambda: len(running) == 3 * LIMIT, what="those without a slot wait in line")
    worker.loop.call_on_loop(door.set)
    assert worker.ends(3 * LIMIT) == ["done"] * 3 * LIMIT


@pytest.mark.parametrize("is_overload_on", [True, False])
def test_a_task_on_a_spare_slot_takes_no_place_of_the_pool_from_a_real_one(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, *, is_overload_on: bool
) -> None:
    active = worker.router.active
    overload = replace(active.current.overload, enabled=is_overload_on)
    monkeypatch.setattr(active, "current", replace(active.current, overload=overload))
    door, real, spare = asyncio.Event(), list[int](), worker.router.spare_slots
    instance = Instance(service="llm", name="llm-1", endpoint="http://127.0.0.1:9", max_concurrent=4)

    async def read_ahead(number: int) -> None:
        slot = Slot(service="llm", name="llm-1", lease_id=f"spare-{number}", in_flight=1, reason="")
        with spare.held(slot, instance, f"turn-{number}"):
            await door.wait()

    async def answer(number: int) -> None:
        real.append(number)
        await door.wait()

    def of(number: int) -> Coroutine[Any, Any, None]:
        return read_ahead(number) if number < LIMIT else answer(number)

    run_tasks(worker, of, 2 * LIMIT + 1, timeout_s=60)
    eventually(lambda: len(real) == LIMIT, what="the pool is full of real tasks", within_s=10)
    assert len(spare) == LIMIT
    worker.loop.call_on_loop(door.set)
    assert worker.ends(2 * LIMIT + 1) == ["done"] * (2 * LIMIT + 1)
    assert len(spare) == 0

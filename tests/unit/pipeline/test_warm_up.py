from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceUnreachable
from dispatcher.pipeline.warm_up import LOADING_POLL_INTERVAL_S, WarmUp
from dispatcher.providers.protocols import LoadReport
from tests.unit.pipeline.fake_worker import FakeWorker, instance_of


class Live:
    """The active catalogue, swapped by the test."""

    def __init__(self, current: Any) -> None:
        self.current = current
        self.on_swap: Callable[[], None] = lambda: None

    async def sync(self) -> None:
        """Find that it is up to date."""


class Health:
    """Instances that are loading for some checks, then healthy."""

    def __init__(self, **loading: int) -> None:
        self.loading = loading
        self.checked: list[str] = []

    def of(self, _: Instance) -> Health:
        """Return the client of an instance."""
        return self

    async def check(self, instance: Instance) -> LoadReport:
        """Pass once the instance is loaded."""
        self.checked.append(instance.name)
        self.loading[instance.name] = self.loading.get(instance.name, 0) - 1
        if self.loading[instance.name] >= 0:
            raise InstanceUnreachable(instance.name, "loading")
        return LoadReport()


class Loop:
    """Background tasks of the worker."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Start one."""
        self.tasks.append(asyncio.create_task(work))

    def stop(self) -> None:
        """Cancel them."""
        for task in self.tasks:
            task.cancel()


class Signs:
    """A client that notes which signs of life were written."""

    def __init__(self) -> None:
        self.shown: dict[str, int] = {}

    async def run(self, *_: Any, **__: Any) -> bytes:
        """Take a check's result, which changes no state."""
        return b""

    def send_nowait(self, _: str, key: str, value: int, *__: Any) -> None:
        """Take a sign."""
        self.shown[key.partition(":")[0]] = value


def warm_up(health: Health, *instances: Instance) -> tuple[WarmUp, Live, Loop, Signs]:
    worker = FakeWorker.with_instances(*instances)
    live, loop, signs = Live(worker.context.catalogue), Loop(), Signs()
    worker.router.active = cast("Any", live)
    context = replace(
        worker.context,
        loop=cast("Any", loop),
        redis=cast("Any", signs),
        providers=cast("Any", health),
    )
    return WarmUp(context, ["asr"], lambda: 4), live, loop, signs


async def test_a_worker_checks_the_instances_of_its_queues_and_shows_that_it_is_ready() -> None:
    health = Health()
    work, _, loop, signs = warm_up(health, instance_of("asr", "a"), instance_of("tts", "t"))
    await work.run()
    await asyncio.sleep(0)
    assert health.checked == ["a"]
    assert signs.shown == {"worker": 4, "served": 4}
    loop.stop()


async def test_an_instance_that_is_still_loading_is_checked_until_it_is_healthy() -> None:
    health = Health(a=3)
    work, _, loop, _ = warm_up(health, instance_of("asr", "a"))
    with capture_logs() as logs:
        await work.run()
        await asyncio.sleep(10 * LOADING_POLL_INTERVAL_S)
    assert [each["event"] for each in logs] == ["instance not ready", "instance ready"]
    assert len(health.checked) < 8, "once healthy, only the health checks ask"
    loop.stop()


async def test_a_reload_checks_what_is_new_and_says_what_it_does_not_change() -> None:
    health = Health()
    work, live, loop, _ = warm_up(health, instance_of("asr", "a"))
    swapped: list[str] = []
    live.on_swap = lambda: swapped.append("before")
    await work.run()
    config = live.current.services["asr"]
    added = replace(config, instances=(*config.instances, instance_of("asr", "b")))
    live.current = replace(live.current, services={**live.current.services, "asr": added})
    with capture_logs() as logs:
        live.on_swap()
        await asyncio.sleep(0.1)
    assert health.checked == ["a", "b"]
    assert swapped == ["before"]
    assert [each["queue"] for each in logs if "pool keeps its size" in each["event"]] == ["asr"]
    loop.stop()


@pytest.mark.parametrize("tries", [1, 200])
async def test_loading_is_given_up_after_a_while(tries: int) -> None:
    health = Health(a=tries)
    work, _, loop, _ = warm_up(health, instance_of("asr", "a"))
    await work.run()
    await asyncio.sleep(600)
    assert len(health.checked) <= 122
    loop.stop()

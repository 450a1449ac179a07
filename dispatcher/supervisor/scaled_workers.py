"""Workers and instances beside those of the Procfile, as many as the runtime overrides say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from dispatcher.control.instance_control import show_offer
from dispatcher.control.overrides import OVERRIDES_POLL_INTERVAL_S, read_overrides
from dispatcher.redis_client.client import RedisClient
from dispatcher.supervisor.instance_actions import InstanceActions
from dispatcher.supervisor.metrics_ports import without_metrics
from dispatcher.supervisor.polling import poll
from dispatcher.supervisor.process_runner import ProcessRunner
from dispatcher.supervisor.process_spec import ProcessSpec

# An override that was set by mistake must not fill the host.
MAX_PER_QUEUE: Final = 4


class ScaledWorkers:
    """Follows the overrides, and shows the tuner that a supervisor does."""

    def __init__(
        self,
        specs: Iterable[ProcessSpec],
        redis: RedisClient,
        *,
        start: Callable[[ProcessSpec], ProcessRunner],
        stop: Callable[[ProcessRunner], Awaitable[None]],
        instances: InstanceActions,
    ) -> None:
        """Copy from these: the workers of one queue each that need no shell."""
        self._instances = instances
        self._models = {
            spec.queues[0]: spec
            for spec in specs
            if spec.role == "worker" and len(spec.queues) == 1 and not spec.in_shell
        }
        self._redis = redis
        self._start = start
        self._stop = stop
        self._running: dict[str, list[ProcessRunner]] = {queue: [] for queue in self._models}

    async def follow(self) -> None:
        """Poll the overrides for ever."""
        await poll(self._poll, interval_s=OVERRIDES_POLL_INTERVAL_S)

    async def _poll(self) -> None:
        offer = await self._instances.offer()
        if self._models or offer.restartable:
            await show_offer(self._redis, offer)
        overrides = await read_overrides(self._redis)
        await self._match(overrides.extra_workers)
        await self._instances.match(overrides)

    async def _match(self, wanted: Mapping[str, int]) -> None:
        """Start what is missing and stop what is too much, the newest first."""
        for queue, running in self._running.items():
            count = min(MAX_PER_QUEUE, wanted.get(queue, 0))
            while len(running) < count:
                running.append(self._start(scaled_worker(self._models[queue], len(running) + 1)))
            while len(running) > count:
                await self._stop(running.pop())


def scaled_worker(model: ProcessSpec, number: int) -> ProcessSpec:
    """Return a further worker like one of the Procfile, under a node name of its own, without metrics."""
    name = f"{model.name}-extra-{number}"
    return replace(
        without_metrics(model),
        name=name,
        argv=(*model.argv, "-n", f"{name}@%h"),
        what=f"{model.what}, extra",
    )

"""Warm-up of a worker: checks of the instances that its queues serve, at the start and after each reload."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Final

import structlog

from dispatcher.catalogue.model import Instance
from dispatcher.errors import StateError
from dispatcher.messages import CONTROL_QUEUE
from dispatcher.pipeline.instance_checks import CALL_TIMEOUT_S, Examined, check_instance
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.redis_client import keys

WORKER_READY_TTL_S: Final = 30

log = structlog.get_logger(__name__)

# Engines load their weights for seconds; after this long only the health checks ask.
LOADING_TIMEOUT_S: Final = 120.0
LOADING_POLL_INTERVAL_S: Final = 1.0
# With the check before it, within the time of a start.
FIRST_CALL_TIMEOUT_S: Final = 3.0
# What the tasks of a queue import when they first run: 30 to 60 ms of CPU that other workers do without.
TASK_IMPORTS: Final = {
    "llm": "dispatcher.speech_text.cleaner",
    "tts": "dispatcher.speech_text.normalization",
}


class WarmUp:
    """The instances that one worker's queues serve, checked before the first turn needs them."""

    def __init__(self, context: WorkerContext, queues: Sequence[str], pool_size: Callable[[], int]) -> None:
        """Prepare; `pool_size` returns how many tasks the worker runs at once, which the tuner may change."""
        self._context = context
        self._queues = queues
        self._pool_size = pool_size
        self._checked: frozenset[Instance] = frozenset()

    async def run(self) -> None:
        """Pay the first-time costs before the first turn does, then show that the queues are served."""
        context = self._context
        self._follow_swaps()
        for queue in TASK_IMPORTS.keys() & set(self._queues):
            import_module(TASK_IMPORTS[queue])
        await context.router.active.sync()
        instances = self._served()
        self._checked = frozenset(instances)
        checks = [self._check(each, call_timeout_s=FIRST_CALL_TIMEOUT_S) for each in instances]
        for instance, found in zip(instances, await asyncio.gather(*checks), strict=True):
            if found.reason:
                log.warning("instance not ready", instance=instance.name, reason=found.reason)
            if found.reason and not found.evidence.missing:
                context.loop.spawn(self._await_loaded(instance))
        if "llm" in self._queues:
            context.tool_servers.follow(context.started_with.mcp_servers)
        context.loop.spawn(self._show_ready())

    def _follow_swaps(self) -> None:
        active = self._context.router.active
        before = active.on_swap

        def on_swap() -> None:
            before()
            self._context.loop.spawn(self._check_changed())
            self._follow_tool_servers()
            self._log_restart_needed()

        active.on_swap = on_swap

    def _served(self) -> list[Instance]:
        services = self._context.catalogue.services.items()
        return [each for service, config in services if service in self._queues for each in config.instances]

    async def _check(self, instance: Instance, *, call_timeout_s: float = CALL_TIMEOUT_S) -> Examined:
        context = self._context
        return await check_instance(
            context.redis,
            context.providers,
            instance,
            rules=context.catalogue.health,
            call_timeout_s=call_timeout_s,
        )

    async def _check_changed(self) -> None:
        """Check instances that a reload brought or changed, so that no call goes to an incomplete line."""
        found = frozenset(self._served())
        new, self._checked = found - self._checked, found
        with suppress(StateError):
            await asyncio.gather(*(self._check(instance) for instance in new))

    async def _await_loaded(self, instance: Instance) -> None:
        """Publish that an instance which was still loading is healthy, as soon as it is."""
        loop = asyncio.get_running_loop()
        passed, end_at = 0, loop.time() + LOADING_TIMEOUT_S
        while passed < self._context.catalogue.health.recovery_threshold and loop.time() < end_at:
            await asyncio.sleep(LOADING_POLL_INTERVAL_S)
            with suppress(StateError):
                found = await self._check(instance)
                if found.reason or not found.evidence.is_verdict:
                    continue
                passed += 1
                if passed == 1:
                    log.info("instance ready", instance=instance.name)

    def _follow_tool_servers(self) -> None:
        context = self._context
        if "llm" in self._queues:
            servers = context.tool_servers.follow_file(context.catalogue, context.started_with.path)
            context.loop.spawn(servers)

    def _log_restart_needed(self) -> None:
        """Log which changes of the active catalogue take more than a reload."""
        active, initial = self._context.catalogue, self._context.started_with
        for service, config in active.services.items():
            sized_for = initial.services[service].slots
            if service in self._queues and config.slots != sized_for:
                log.warning(
                    "pool keeps its size until a restart or `celery control pool_grow`",
                    queue=service,
                    sized_for=sized_for,
                    slots=config.slots,
                )
        interval_s, beats_s = active.health.interval_s, initial.health.interval_s
        if CONTROL_QUEUE in self._queues and interval_s != beats_s:
            log.warning(
                "health checks keep their interval until beat restarts",
                interval_s=beats_s,
                wanted_s=interval_s,
            )

    async def _show_ready(self) -> None:
        redis, pid = self._context.redis, os.getpid()
        while True:
            for queue in self._queues:
                for sign in (keys.worker_ready(queue, pid), keys.served(queue)):
                    redis.send_nowait("SET", sign, self._pool_size(), "EX", WORKER_READY_TTL_S)
            await asyncio.sleep(WORKER_READY_TTL_S / 3)

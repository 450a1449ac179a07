"""Context of a worker process: one client, one router and one set of budgets for all of its tasks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.asyncio import Redis

from dispatcher.catalogue.model import Catalogue
from dispatcher.dialogue_store.phrase_cache import PhraseCache
from dispatcher.pipeline.loop_thread import LOOP_START_TIMEOUT_S, CancellableTurns, LoopThread
from dispatcher.pipeline.shared_refusals import SharedRefusals
from dispatcher.providers.registry import Providers
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import REDIS_RECONNECT_TIMEOUT_S, RedisClient, cache_client, connect
from dispatcher.redis_client.pubsub import subscribe
from dispatcher.routing.active_catalogue import activated_at_s
from dispatcher.routing.initial_catalogue import starting_catalogue
from dispatcher.routing.router import Router
from dispatcher.routing.rules.hedging import SharedHedging
from dispatcher.routing.spare_slots import YIELD_CHANNEL
from dispatcher.settings import Settings, load_settings
from dispatcher.telemetry.tracing.otlp_export import start_tracer
from dispatcher.telemetry.tracing.tracer import Tracer
from dispatcher.tools.device_tools import DeviceTools
from dispatcher.tools.tool_servers import ToolServers

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorkerContext:
    """Shared by the tasks of one process; all but `run` and `keep_running` belongs to its loop.

    One attribute for each thing that a process opens once, so there are more than ten.

    Attributes:
        settings: of this process.
        started_with: the catalogue of this process's file when it started; pools keep their size by it.
        loop: runs the coroutines of all tasks.
        redis: shared state and broker.
        cache: audio of utterances; the same client where it has no server of its own.
        phrases: speech that was made before.
        blocking_redis: connections for commands that block; each occupies one while it waits.
        providers: clients of the instances.
        router: leases instances.
        turns: the coroutines that a barge-in cancels.
        device_tools: tools of the devices.
        tool_servers: tools of MCP servers.
        hedging: response times and budgets.
        tracer: makes spans of turns; None where nobody collects them.
    """

    settings: Settings
    started_with: Catalogue
    loop: LoopThread
    redis: RedisClient
    cache: RedisClient
    phrases: PhraseCache
    blocking_redis: Redis
    providers: Providers
    router: Router
    turns: CancellableTurns
    device_tools: DeviceTools
    tool_servers: ToolServers
    hedging: SharedHedging
    tracer: Tracer | None = None

    @classmethod
    def start(cls, settings: Settings, catalogue: Catalogue) -> WorkerContext:
        """Start a loop and open what its tasks share."""
        loop = LoopThread()
        return loop.run(_opened(settings, catalogue, loop), timeout_s=LOOP_START_TIMEOUT_S)

    @property
    def catalogue(self) -> Catalogue:
        """The active catalogue."""
        return self.router.active.current

    def run(self, work: Coroutine[Any, Any, Result], *, timeout_s: float) -> Result:
        """Run a coroutine on the loop and wait for it, as `LoopThread.run` does."""
        return self.loop.run(work, timeout_s=timeout_s)

    def keep_running(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the tasks until the worker stops, as `LoopThread.keep_running` does."""
        self.loop.keep_running(work)

    def stop(self) -> None:
        """Close everything and end the loop."""
        self.loop.stop(self._close())

    async def _close(self) -> None:
        await self.tool_servers.close()
        await self.router.active.close()
        await self.providers.close()
        if self.tracer is not None:
            await self.tracer.close()
        await self.blocking_redis.aclose()
        if self.cache is not self.redis:
            await self.cache.close()
        await self.redis.close()


async def _opened(settings: Settings, catalogue: Catalogue, loop: LoopThread) -> WorkerContext:
    redis = RedisClient(connect(settings.redis_url), reconnect_timeout_s=REDIS_RECONNECT_TIMEOUT_S)
    cache = cache_client(settings, redis)
    tracer = start_tracer(os.environ, service_name="xiaozhi-worker")
    context = WorkerContext(
        settings=settings,
        started_with=catalogue,
        loop=loop,
        redis=redis,
        cache=cache,
        phrases=PhraseCache(redis, cache),
        blocking_redis=connect(settings.cache, socket_timeout_s=None),
        providers=Providers(watched_by=[tracer.http_tracing()] if tracer else ()),
        router=Router(redis, catalogue, activated_at_s=activated_at_s(settings, catalogue.path)),
        turns=CancellableTurns(),
        device_tools=DeviceTools(redis),
        tool_servers=ToolServers(),
        hedging=SharedHedging.begin(time.monotonic()),
        tracer=tracer,
    )
    active = context.router.active
    refusals = SharedRefusals(redis, active, context.providers.refused)
    active.on_swap = refusals.drop_changed
    loop.spawn(refusals.poll())
    loop.spawn(_dispatch_published(context))
    return context


async def _dispatch_published(context: WorkerContext) -> None:
    """Call the handler of each message's channel, for ever, on a connection that nothing else uses."""
    active = context.router.active
    handlers: dict[str, Callable[[str], None]] = {
        keys.CANCEL_CHANNEL: context.turns.cancel,
        keys.FREED_CHANNEL: context.router.line.wake,
        YIELD_CHANNEL: context.router.spare_slots.give_up,
        keys.ANSWERED_CHANNEL: context.device_tools.wake,
        keys.RELOADED_CHANNEL: lambda _: active.refresh(),
    }
    client = connect(context.settings.redis_url, socket_timeout_s=None)
    try:
        async for channel, text in subscribe(client, *handlers, on_subscribed=active.refresh):
            handlers[channel](text)
    finally:
        await client.aclose()


_lock = threading.Lock()
_contexts: dict[int, WorkerContext] = {}


def process_context() -> WorkerContext:
    """Return this process's context; a forked pool process starts one of its own."""
    with _lock:
        found = _contexts.get(os.getpid())
        if found is None:
            settings = load_settings()
            found = WorkerContext.start(settings, starting_catalogue(settings))
            _contexts.clear()
            _contexts[os.getpid()] = found
        return found

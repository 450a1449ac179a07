"""Parts of one front process that its connections share."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, Self

import structlog
from aiohttp import web

from dispatcher.catalogue.model import Catalogue
from dispatcher.control.overrides import RuntimeOverrides
from dispatcher.dialogue_store.phrase_cache import PhraseCache
from dispatcher.errors import StateError
from dispatcher.front.admission.connection_limiter import (
    ConnectionLimiter,
    device_limit,
    make_connection_limiter,
)
from dispatcher.front.admission.socket_limiter import SocketLimiter, make_socket_limiter
from dispatcher.front.admission.token_key import load_key
from dispatcher.front.admission.tokens import Tokens
from dispatcher.front.connection.apology import Apologies
from dispatcher.front.connection.connected_device import ConnectedDevice
from dispatcher.front.connection.overload_ladder import OverloadLadder
from dispatcher.front.connection.pause_judge import PauseJudge
from dispatcher.front.connection.playback import Pacer
from dispatcher.front.connection.running_turns import RunningTurns
from dispatcher.front.connection.service_loads import ServiceLoads
from dispatcher.host_metrics.host import HostMeter
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import REDIS_RECONNECT_TIMEOUT_S, RedisClient, cache_client, connect
from dispatcher.routing.active_catalogue import ActiveCatalogue, activated_at_s
from dispatcher.routing.rules.speculation import WasteBudget
from dispatcher.settings import Settings
from dispatcher.telemetry.tracing.otlp_export import start_tracer
from dispatcher.telemetry.tracing.tracer import Tracer
from dispatcher.turn_store import utterance_audio

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class FrontStatus:
    """What changes of a front while it runs.

    Attributes:
        draining: it is about to stop; no new device is let in, and what was begun may end.
        replies_flow: its reply stream is open.
        overrides: as they stood a second ago.
        tokens: by the key that the fronts agreed on; None where tokens are switched off.
    """

    draining: bool = False
    replies_flow: bool = False
    overrides: RuntimeOverrides = field(default_factory=RuntimeOverrides)
    tokens: Tokens | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontContext:
    """Shared parts of one front process; only what `status` holds changes.

    Attributes:
        phrases: speech that was made before.
        active: the active catalogue.
        devices: connections by device id; one device has one.
        turns: turns under way, to which replies are routed.
        loads: of the services, for the prediction of first audio.
        ladder: the step of overload, by these loads.
        waste_budget: of turns that begin at a pause.
        device_limit: how many devices this front could take.
        connection_limiter, socket_limiter: of the port, and of sockets of devices among its connections.
        tracer: makes spans of turns; None where nobody collects them.
    """

    settings: Settings
    front_id: str
    redis: RedisClient
    cache_redis: RedisClient
    phrases: PhraseCache
    active: ActiveCatalogue
    pacer: Pacer
    apologies: Apologies
    pause_judge: PauseJudge
    connection_limiter: ConnectionLimiter
    socket_limiter: SocketLimiter
    status: FrontStatus
    device_limit: int
    loads: ServiceLoads
    ladder: OverloadLadder
    devices: dict[str, ConnectedDevice] = field(default_factory=dict)
    turns: RunningTurns = field(default_factory=RunningTurns)
    tracer: Tracer | None = None
    waste_budget: WasteBudget = field(default_factory=WasteBudget)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False, repr=False)

    @classmethod
    def create(cls, settings: Settings, catalogue: Catalogue, *, redis: RedisClient | None = None) -> Self:
        """Return the context of a front that connects to nothing yet; called inside the front's loop."""
        redis = redis or RedisClient(
            connect(settings.redis_url), reconnect_timeout_s=REDIS_RECONNECT_TIMEOUT_S
        )
        cache_redis = cache_client(settings, redis)
        connection_limiter, loads = make_connection_limiter(settings), ServiceLoads()
        return cls(
            settings=settings,
            front_id=f"{settings.server_id}-{secrets.token_hex(4)}",
            redis=redis,
            cache_redis=cache_redis,
            phrases=PhraseCache(redis, cache_redis),
            active=ActiveCatalogue(redis, catalogue, activated_at_s=activated_at_s(settings, catalogue.path)),
            pacer=Pacer(asyncio.get_running_loop()),
            apologies=Apologies(),
            pause_judge=PauseJudge.of(
                settings.smart_turn_model, data_dir=settings.data_dir, meter=HostMeter(settings.box_scope)
            ),
            connection_limiter=connection_limiter,
            device_limit=device_limit(settings),
            loads=loads,
            ladder=OverloadLadder(loads),
            socket_limiter=make_socket_limiter(settings, connection_limiter.refusals),
            status=FrontStatus(tokens=Tokens(load_key(settings)) if settings.front_auth == "token" else None),
            tracer=start_tracer(os.environ, service_name="xiaozhi-front"),
        )

    @property
    def catalogue(self) -> Catalogue:
        """The active catalogue; new connections and turns go by it."""
        return self.active.current

    @property
    def reply_stream(self) -> str:
        """The Redis stream on which workers answer this front."""
        return keys.reply_stream(self.front_id)

    @property
    def max_devices(self) -> int:
        """How many devices are let in now: the tuner may ask for fewer than this front could take."""
        limit = self.status.overrides.max_devices
        return self.device_limit if limit is None else min(limit, self.device_limit)

    @property
    def queue_limit(self) -> int:
        """How many tasks may wait in a queue: QUEUE_LIMIT, else one for each device that could come."""
        return self.device_limit if self.settings.queue_limit is None else self.settings.queue_limit

    async def send_task(self, sending: Awaitable[int]) -> str:
        """Send a task of a turn; return why it cannot be done in time, or nothing.

        Args:
            sending: returns the length of the task's queue.
        """
        try:
            length = await sending
        except StateError as error:
            return str(error)
        limit = self.queue_limit
        return f"queue has {length} tasks, at most {limit} are let in" if length > limit else ""

    def cancel_tasks(self, turn_id: str) -> None:
        """Drop what is queued or at work for a turn, and its audio."""
        try:
            utterance_audio.cancel(self.redis, turn_id)
            self.cache_redis.send_nowait("UNLINK", keys.claim(turn_id), keys.utterance(turn_id))
        except StateError as error:  # tasks run to their end, their replies are dropped here, keys expire
            log.warning("turn cannot be cancelled in workers", turn=turn_id, reason=str(error))

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something short for a turn; an unreachable Redis is logged, the turn's clock goes on."""
        task = asyncio.get_running_loop().create_task(_log_state_errors(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Close the connections to Redis, and export what is left of traces."""
        self.pause_judge.close()
        if self.tracer is not None:
            await self.tracer.close()
        await self.active.close()
        if self.cache_redis is not self.redis:
            await self.cache_redis.close()
        await self.redis.close()


async def _log_state_errors(work: Coroutine[Any, Any, Any]) -> None:
    try:
        await work
    except StateError as error:
        log.warning("redis out of reach", reason=str(error))


CONTEXT: Final = web.AppKey("context", FrontContext)

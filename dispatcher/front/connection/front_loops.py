"""Loops of a front beside its connections, from its start to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from dispatcher import chains
from dispatcher.control.overrides import OVERRIDES_POLL_INTERVAL_S, read_overrides
from dispatcher.devices import device_commands
from dispatcher.errors import StateError
from dispatcher.front.admission.token_key import agree_on_key
from dispatcher.front.admission.tokens import Tokens
from dispatcher.front.connection.connected_device import handle, invalidate_profiles
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.presence_loop import PresenceLoop
from dispatcher.front.connection.reply_pump import ReplyPump
from dispatcher.redis_client.client import connect
from dispatcher.routing.active_catalogue import listen
from dispatcher.turn_store import replies, worker_heartbeats
from dispatcher.turn_store.replies import ReplyReader

log = structlog.get_logger(__name__)

LOST_POLL_INTERVAL_S: Final = 0.25
# Without a turn that waits for a worker; one that begins meanwhile could be lost no sooner.
IDLE_LOST_POLL_INTERVAL_S: Final = worker_heartbeats.LOST_AFTER_S


@asynccontextmanager
async def run_loops(context: FrontContext) -> AsyncGenerator[None]:
    """Join the other fronts of this Redis, and run all loops.

    Raises:
        StateError: Redis is unreachable.
        ConfigError: the active catalogue is of another version.
    """
    # Reads of the stream and subscriptions block: each has a connection of its own.
    clients = [connect(context.settings.redis_url, socket_timeout_s=None) for _ in range(3)]
    tasks: list[asyncio.Task[None]] = []
    try:
        loops = _loops(context, *clients)
        await context.active.sync()
        await agree_on_tokens(context)
        tasks = [asyncio.get_running_loop().create_task(loop()) for loop in loops]
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in clients:
            await client.aclose()
        await context.close()


def _loops(
    context: FrontContext, replies_client: Redis, catalogue_client: Redis, commands_client: Redis
) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
    stream = ReplyReader(replies_client, context.reply_stream)
    # A Redis that comes back empty has the stream before it has a task whose worker would look for it.
    context.redis.on_connect_commands(*stream.opening)
    pump = ReplyPump(context, stream, on_connected=partial(agree_on_tokens, context))
    handle_commands = partial(
        device_commands.serve,
        commands_client,
        context.redis,
        partial(handle, context.devices),
        on_subscribed=partial(invalidate_profiles, context.devices),
    )
    return (
        pump.run,
        pump.trim,
        context.turns.watch,
        context.socket_limiter.watch,
        PresenceLoop(context).run,
        partial(follow_overrides, context),
        partial(resend_lost, context),
        partial(listen, catalogue_client, context.active),
        handle_commands,
    )


async def agree_on_tokens(context: FrontContext) -> None:
    """Use the token key of all fronts; asked on each new connection, since the Redis may be new as well.

    Raises:
        StateError: Redis is unreachable.
    """
    if context.status.tokens is not None:
        context.status.tokens = Tokens(await agree_on_key(context.redis, context.settings))


async def follow_overrides(context: FrontContext) -> None:
    """Poll the runtime overrides until cancelled; while Redis is unreachable they stay as they were."""
    while True:
        with suppress(StateError):  # the reply pump logs that Redis is unreachable
            context.status.overrides = await read_overrides(context.redis)
            pin = context.status.overrides.overload_pin
            context.ladder.pin(pin.step if pin else None)
        await asyncio.sleep(OVERRIDES_POLL_INTERVAL_S)


async def resend_lost(context: FrontContext) -> None:
    """Poll for workers that died, and notify the front of each turn that one of them held, until cancelled.

    Each front polls and one finds them, so that this works without a supervisor and over all hosts. The loads
    of the services are read with the same batch.
    """
    interval_s = LOST_POLL_INTERVAL_S
    while True:
        await asyncio.sleep(interval_s)
        is_idle = not context.turns and not context.turns.utterances
        interval_s = IDLE_LOST_POLL_INTERVAL_S if is_idle else LOST_POLL_INTERVAL_S
        try:
            messages, _ = await asyncio.gather(
                worker_heartbeats.take_lost(context.redis, grace_s=interval_s - LOST_POLL_INTERVAL_S),
                context.loads.refresh(context.redis, context.catalogue),
            )
        except StateError:  # the reply pump logs that Redis is unreachable
            continue
        context.ladder.follow(context.catalogue.overload)
        stages = [
            stage
            for lost in messages
            if (stage := chains.stage_reply(lost.message, "lost", has_ended=lost.has_ended)) is not None
        ]
        if stages:
            log.warning("worker lost", stages=len(stages), usage="what its calls used is not counted")
        for stream, reply in stages:
            replies.send(context.redis, stream, reply)

"""Subscription to Redis channels, for ever: a connection that went silent is closed and opened again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from dispatcher.backoff import BackOff
from dispatcher.errors import in_words

log = structlog.get_logger(__name__)

# A barge-in that is published while nobody is subscribed is lost.
RESUBSCRIBE_INTERVAL_S: Final = 0.5
# After so long without a word Redis is asked whether it is there, and has as long again to answer.
QUIET_S: Final = 5.0


async def subscribe(
    client: Redis, *channels: str, on_subscribed: Callable[[], None]
) -> AsyncGenerator[tuple[str, str]]:
    """Yield each message as (channel, text).

    Args:
        client: it is used for nothing else.
        channels: what to subscribe to.
        on_subscribed: called on each subscription: what was published before that is lost.
    """
    pauses = BackOff(longest_s=RESUBSCRIBE_INTERVAL_S)
    while True:
        try:
            async with client.pubsub() as pubsub:
                await pubsub.subscribe(*channels)
                async with aclosing(_messages(pubsub)) as messages:
                    async for kind, channel, text in messages:
                        if kind == "message":
                            yield channel, text
                        # redis-py connects again by itself, and what was published meanwhile is lost as well.
                        elif kind == "subscribe" and channel == channels[-1]:
                            pauses.reset()
                            on_subscribed()
        except (RedisError, OSError) as error:
            if not pauses.tries:
                log.warning("redis subscription lost", channels=",".join(channels), reason=in_words(error))
            await asyncio.sleep(pauses.next_s())


async def _messages(pubsub: PubSub) -> AsyncGenerator[tuple[str, str, str]]:
    """Yield (kind, channel, text) for as long as the connection is good; a subscription has no text.

    redis-py (8.1) takes a connection that the system gave up (ETIMEDOUT) for one that has nothing to say, and
    its `listen` then asks it again at once, without end and without a pause: the event loop stands still.

    Raises:
        RedisError: the connection is lost, or nothing answers on it.
    """
    asked = False
    while True:
        message = await pubsub.get_message(timeout=QUIET_S)
        if message is not None:
            asked = False
            kind, channel, said = message["type"], message["channel"] or b"", message["data"]
            yield kind, channel.decode(), said.decode() if isinstance(said, bytes) else ""
        elif asked:
            raise RedisConnectionError(f"no answer in {QUIET_S:g} s")
        else:
            asked = True
            await pubsub.ping()

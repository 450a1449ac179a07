"""What is published is heard, also after the connection died without a word."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from dispatcher.redis_client import pubsub
from dispatcher.redis_client.client import RedisClient, connect
from tests.support.broker import Broker
from tests.support.waiting import soon

CHANNEL = "news"


class Listener(Redis):
    """A client that keeps what it opened, so that a test can break it."""

    opened: PubSub

    def pubsub(self, **options: object) -> PubSub:
        """Return a subscription, as ever."""
        self.opened = super().pubsub(**options)
        return self.opened


class Heard:
    """All that was heard, and how often it began to listen."""

    def __init__(self, broker: Broker) -> None:
        self.messages: list[tuple[str, str]] = []
        self.begun = 0
        self.client = Listener(host="127.0.0.1", port=broker.port)

    async def listen(self) -> None:
        async for message in pubsub.subscribe(self.client, CHANNEL, on_subscribed=self._begin):
            self.messages.append(message)

    def _begin(self) -> None:
        self.begun += 1

    async def begins(self, times: int) -> None:
        async def has_begun() -> bool:
            return self.begun >= times

        await soon(has_begun, what=f"it listens for time {times}")


@pytest.fixture
async def heard(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Heard]:
    monkeypatch.setattr(pubsub, "QUIET_S", 0.3)
    monkeypatch.setattr(pubsub, "RESUBSCRIBE_INTERVAL_S", 0.05)
    listener = Heard(broker)
    listening = asyncio.create_task(listener.listen())
    await listener.begins(1)
    yield listener
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await listener.client.aclose()


async def tell(broker: Broker, heard: Heard, text: str) -> None:
    """Publish until it is heard: between two subscriptions nobody hears."""
    redis = RedisClient(connect(broker.url))

    async def is_heard() -> bool:
        await redis.execute("PUBLISH", CHANNEL, text)
        return (CHANNEL, text) in heard.messages

    await soon(is_heard, what=f"{text!r} is heard")
    await redis.close()


async def test_messages_are_heard_after_quiet_times_on_the_same_connection(
    broker: Broker, heard: Heard
) -> None:
    await tell(broker, heard, "one")
    await asyncio.sleep(5 * pubsub.QUIET_S)  # what is shown is that nothing happens meanwhile
    await tell(broker, heard, "two")
    assert heard.begun == 1


async def test_a_connection_on_which_nothing_answers_is_opened_again(
    fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubsub, "QUIET_S", 0.3)
    heard = Heard(fresh_broker)
    listening = asyncio.create_task(heard.listen())
    await heard.begins(1)
    fresh_broker.send_signal(signal.SIGSTOP)
    silent = heard.client.opened

    async def is_given_up() -> bool:
        return silent.connection is None

    await soon(is_given_up, what="the silent connection is given up")
    fresh_broker.send_signal(signal.SIGCONT)
    await tell(fresh_broker, heard, "back")
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await heard.client.aclose()


async def test_a_connection_that_the_system_gave_up_does_not_stop_the_loop(
    broker: Broker, heard: Heard
) -> None:
    connection = heard.client.opened.connection
    assert connection is not None
    # What asyncio does when keepalive finds nobody: every read fails from now on, at once.
    connection._reader.set_exception(TimeoutError(110, "Connection timed out"))
    await heard.begins(2)
    await tell(broker, heard, "back")

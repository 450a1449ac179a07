"""The transport of Celery's own messages: events of life, and what beat sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection, Exchange

from tests.support.broker import Broker
from workers.celery_ext.transport import DroppingRedisChannel, use_dropping_transports

EVENTS = Exchange("test.events", type="fanout")


@pytest.fixture
def channel(broker: Broker) -> Iterator[Any]:
    """Return a channel as a worker or beat has it."""
    use_dropping_transports()
    with Connection(broker.url) as connection:
        yield connection.channel()


def test_all_messages_of_a_channel_are_sent_by_one_client(
    channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    make = channel._create_client

    def made_anew(*args: Any, **options: Any) -> Any:
        made.append(make(*args, **options))
        return made[-1]

    assert channel.__class__.__name__ == DroppingRedisChannel.__name__
    monkeypatch.setattr(channel, "_create_client", made_anew)
    for _ in range(5):
        channel.basic_publish(channel.prepare_message("{}"), EVENTS.name, "worker.heartbeat")
        with channel.conn_or_acquire() as client:
            client.ping()
    assert len(made) <= 1


def test_a_new_pool_of_connections_has_a_client_of_its_own(channel: Any) -> None:
    with channel.conn_or_acquire() as before:
        before.ping()
    channel._disconnect_pools()
    with channel.conn_or_acquire() as after:
        after.ping()
    assert after is not before


def test_a_client_that_is_given_is_used(channel: Any) -> None:
    with channel.conn_or_acquire(given := object()) as client:
        assert client is given

"""The context of a worker process: what it opens, what it receives from others, and that it ends whole."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dispatcher.errors import TurnCancelled
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.redis_client import keys
from dispatcher.routing import instance_table
from dispatcher.settings import Settings
from tests.support.broker import Broker
from tests.support.fleet import catalogue_of, llm
from tests.support.waiting import WAIT_TIMEOUT_S, eventually

CHANNELS = {keys.CANCEL_CHANNEL, keys.FREED_CHANNEL, keys.ANSWERED_CHANNEL, keys.RELOADED_CHANNEL}
CATALOGUE = catalogue_of("round_robin", [llm("A")])


@pytest.fixture
def context(broker: Broker, tmp_path: Path) -> Iterator[WorkerContext]:
    started = WorkerContext.start(Settings(redis_url=broker.url, data_dir=tmp_path), CATALOGUE)
    # What is published before its subscription is lost.
    eventually(lambda: channels(started) >= CHANNELS, what="it is subscribed")
    yield started
    started.stop()


def channels(context: WorkerContext) -> set[str]:
    """Return the channels that somebody is subscribed to."""
    found = context.run(context.redis.execute("PUBSUB", "CHANNELS"), timeout_s=WAIT_TIMEOUT_S)
    return {channel.decode() for channel in found}


def publish(context: WorkerContext, channel: str, text: str) -> None:
    context.run(context.redis.execute("PUBLISH", channel, text), timeout_s=WAIT_TIMEOUT_S)


def test_a_worker_begins_with_its_own_catalogue_and_one_client_for_all(context: WorkerContext) -> None:
    assert context.catalogue == CATALOGUE == context.started_with
    assert context.cache is context.redis


def test_a_barge_in_that_is_published_ends_what_works_for_its_turn(context: WorkerContext) -> None:
    begun = threading.Event()

    async def work() -> None:
        with context.turns.cancellable("a-turn"):
            begun.set()
            await asyncio.Event().wait()

    def interrupt() -> None:
        begun.wait(WAIT_TIMEOUT_S)
        publish(context, keys.CANCEL_CHANNEL, "another-turn")
        publish(context, keys.CANCEL_CHANNEL, "a-turn")

    user = threading.Thread(target=interrupt)
    user.start()
    with pytest.raises(TurnCancelled):
        context.run(work(), timeout_s=WAIT_TIMEOUT_S)
    user.join()


def test_a_catalogue_that_is_published_is_the_one_of_the_next_call(context: WorkerContext) -> None:
    other = replace(catalogue_of("round_robin", [llm("B")]), path=CATALOGUE.path)
    context.run(instance_table.publish(context.redis, other), timeout_s=WAIT_TIMEOUT_S)
    eventually(lambda: context.catalogue == other, what="the catalogue is followed")
    assert context.started_with == CATALOGUE


def test_a_stopped_worker_leaves_no_thread_and_no_connection(broker: Broker, tmp_path: Path) -> None:
    before = threading.active_count()
    stopped = WorkerContext.start(Settings(redis_url=broker.url, data_dir=tmp_path), CATALOGUE)
    stopped.keep_running(asyncio.sleep(3600))
    stopped.stop()
    assert threading.active_count() <= before

"""R18: what fills up with sound never costs a queued task; the files are those that a deployment uses."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from dispatcher.errors import StateError
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.turn_store import utterance_audio
from tests.support.broker import Broker
from tests.support.processes import ROOT, Process
from tests.support.stack import Stack
from tests.support.waiting import eventually, soon

CONFIG = ROOT / "config" / "redis"
TASKS = 180
UTTERANCE = b"\xff" * 64 * 1024
FLOOD = 1024  # 64 MB


Serve: TypeAlias = "Callable[[str], ConfiguredBroker]"


class ConfiguredBroker(Broker):
    """A server with one of the project's files, and less memory."""

    def __init__(self, folder: Path, *, file: str, maxmemory: str = "24mb") -> None:
        super().__init__(folder)
        options = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(folder),
            "--maxmemory",
            maxmemory,
        ]
        self.command = [self.command[0], str(CONFIG / file), *options]


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], ConfiguredBroker]]:
    made: list[ConfiguredBroker] = []

    def start(file: str) -> ConfiguredBroker:
        made.append(ConfiguredBroker(tmp_path_factory.mktemp(file), file=file))
        made[-1].start()
        return made[-1]

    yield start
    for server in made:
        server.kill()


def queue_tasks(client: Redis) -> None:
    for number in range(TASKS):
        client.lpush("asr", f"task {number}")


async def flood(url: str) -> None:
    """Store many utterances by the front's own code."""
    cache = RedisClient(connect(url))
    claims = [utterance_audio.put(cache, uuid.uuid4().hex, UTTERANCE) for _ in range(FLOOD)]
    await asyncio.gather(*claims, return_exceptions=True)
    await cache.close()


async def test_a_flood_of_utterances_takes_utterances_and_no_task(serve: Serve) -> None:
    broker, cache = serve("broker.conf"), serve("cache.conf")
    with Redis.from_url(broker.url) as queues, Redis.from_url(cache.url) as claims:
        queue_tasks(queues)
        await flood(cache.url)

        assert queues.llen("asr") == TASKS
        assert queues.info("memory")["used_memory"] < 16 * 1024 * 1024, "sound never reaches the broker"
        assert 0 < claims.dbsize() < FLOOD
        assert claims.info("stats")["evicted_keys"] > 0
        assert claims.info("stats")["expired_keys"] == 0


async def test_a_broker_that_is_full_refuses_writes_and_keeps_every_task(serve: Serve) -> None:
    broker = serve("broker.conf")
    with Redis.from_url(broker.url) as queues:
        queue_tasks(queues)
        await flood(broker.url)

        with pytest.raises(OutOfMemoryError):
            queues.lpush("asr", UTTERANCE)
        assert queues.llen("asr") == TASKS
        assert queues.info("stats")["evicted_keys"] == 0


async def test_a_refused_write_is_an_error_that_names_redis(serve: Serve) -> None:
    broker = serve("broker.conf")
    await flood(broker.url)
    redis = RedisClient(connect(broker.url))

    with pytest.raises(StateError, match=r"redis: .*memory"):
        await redis.execute("LPUSH", "asr", UTTERANCE)
    await redis.close()


def test_dialogues_outlive_a_restart_of_the_broker_and_utterances_do_not(serve: Serve) -> None:
    for file, kept in (("broker.conf", 1), ("cache.conf", 0)):
        server = serve(file)
        with Redis.from_url(server.url) as client:
            client.set("history:device", "said", ex=3600)
            client.execute_command("WAITAOF", 1, 0, 5000) if kept else None
        server.stop()
        server.start()
        with Redis.from_url(server.url) as client:
            assert client.exists("history:device") == kept, file


def restart_with_cache(stack: Stack, worker: Process, url: str) -> None:
    """Restart a worker on a cache; others, with the broker as theirs, read its queue until it is there."""
    reads, printed = stack.blocked_reads(), worker.printed_bytes()
    worker.stop()
    worker.environ["CACHE_URL"] = url
    worker.start()
    eventually(lambda: "ready" in worker.output(printed), what="the worker is ready")
    eventually(lambda: stack.blocked_reads() == reads, what="each worker reads its own queue")


async def test_with_a_cache_of_its_own_an_utterance_is_heard_and_never_stored_at_the_broker(
    stack: Stack, serve: Serve
) -> None:
    cache = serve("cache.conf")
    stored = []
    with Redis.from_url(cache.url) as client, client.monitor() as watch:
        asr = stack.workers["asr"]
        before = dict(asr.environ)
        try:
            restart_with_cache(stack, asr, cache.url)
            async with (
                stack.another_front(CACHE_URL=cache.url) as front,
                front.device("02:00:00:00:09:01") as device,
            ):
                answer = await device.says()
                await soon(partial(_is_dropped, client), what="the utterance is dropped from the cache")
                cache.kill()
                await device.begins_to_say()
                apology = await device.hears(type="tts", state="sentence_start")
            stored = [each["command"].split()[0] for each in _commands(watch)]
        finally:
            asr.stop()
            asr.environ = before
            asr.start()

    assert answer.packets
    assert apology["text"], "where the cache is unreachable a device hears so"
    assert {"SET", "GET", "UNLINK"} <= set(stored)


async def _is_dropped(client: Redis) -> bool:
    """Return whether a worker removed the audio that it had read."""
    return "cmdstat_unlink" in client.info("commandstats")


def _commands(watch: Any) -> Iterator[dict[str, str]]:
    """Yield what was asked of a server until it died."""
    from redis.exceptions import RedisError  # noqa: PLC0415  for this end alone

    try:
        while True:
            yield watch.next_command()
    except (RedisError, OSError):
        return

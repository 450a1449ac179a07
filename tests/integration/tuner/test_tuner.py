"""The tuner on real workers and instances: what it does is seen where it acts, and seen to be undone."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dispatcher.control import tuner_store
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from tests.integration.tuner import tuner_stack as world
from tests.integration.tuner.tuner_stack import POOL, TunerStack, choose, first_that_is, going_on
from tests.support.broker import Broker
from tests.support.front_side import FrontSide
from tests.support.instances import Instances
from tests.support.nginx import Nginx, catalogue_of
from tests.support.processes import BIN, ROOT, own_environment
from tests.support.waiting import soon

PRIORITY = "priority_override"
CAP_LIMIT = "cap_limit"


@pytest.fixture(scope="module")
def running_broker_of_the_tuner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("tuner-broker"))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="module")
def running_tuned(
    tmp_path_factory: pytest.TempPathFactory,
    running_broker_of_the_tuner: Broker,
    running_instances: Instances,
) -> Iterator[TunerStack]:
    processes = TunerStack(tmp_path_factory.mktemp("tuned"), running_broker_of_the_tuner, running_instances)
    try:
        processes.start()
        yield processes
    finally:
        processes.stop()


@pytest.fixture
async def side(running_broker_of_the_tuner: Broker) -> AsyncIterator[FrontSide]:
    async with FrontSide.opened(running_broker_of_the_tuner) as opened:
        await world.forget(opened.redis)
        yield opened


@pytest.fixture
def tuned(running_tuned: TunerStack) -> TunerStack:
    running_tuned.start()
    return running_tuned


async def priority_is(redis: RedisClient, wanted: str) -> bool:
    return (await instance_table.read(redis, "llm", "llm-1")).get(PRIORITY) == wanted


async def test_an_instance_that_fails_is_used_last_until_it_is_well_again(
    tuned: TunerStack, side: FrontSide, instances: Instances
) -> None:
    fails = [True]
    await choose(side.redis, "act")
    async with (
        going_on(lambda: world.talk_while_it_fails_now_and_then(side, instances, fails)),
        tuned.beating(),
    ):
        tried = (await first_that_is(side.redis, "tried", "kept")).first
        assert (tried.cause, tried.action.kind, tried.action.target) == ("errors", "prefer", "llm")
        await soon(lambda: priority_is(side.redis, "low"), what="llm-1 is used last")
        kept = (await first_that_is(side.redis, "kept")).latest
        assert kept.number == tried.number
        fails[0] = False
        reversed_ = (await first_that_is(side.redis, "reversed")).latest
    assert reversed_.number == tried.number

    async def is_as_configured() -> bool:
        return PRIORITY not in await instance_table.read(side.redis, "llm", "llm-1")

    await soon(is_as_configured, what="llm-1 has its own priority again")
    assert int(await side.redis.execute("XLEN", keys.RECORDS)) >= 3


async def test_a_leaking_worker_ends_in_peace_where_a_supervisor_starts_it_again(
    tuned: TunerStack, side: FrontSide
) -> None:
    await choose(side.redis, "act")
    await side.redis.execute("SET", keys.supervisor(socket.gethostname()), 1)
    await world.set_host_load(side.redis, memory=0.97)
    async with tuned.beating():
        tried = (await first_that_is(side.redis, "tried", "done")).first
        assert (tried.cause, tried.action.kind) == ("memory", "restart")
        assert tried.action.target.startswith("llm@")
        assert await asyncio.to_thread(tuned.llm.ends) == 0


async def test_nginx_forgets_its_speech_where_memory_stays_short(
    tuned: TunerStack, side: FrontSide, instances: Instances, tmp_path: Path
) -> None:
    voices = [{"endpoint": f"http://127.0.0.1:{each.port}"} for each in instances.of("tts")]
    others = [{"endpoint": "http://127.0.0.1:9"}]
    catalogue = catalogue_of(
        tmp_path, fronts=[("127.0.0.1:9", 1)], services={"asr": others, "llm": others, "tts": voices}
    )
    nginx = Nginx(catalogue, services_listen=f"127.0.0.1:{tuned.nginx_port}")
    nginx.services_port = tuned.nginx_port
    try:
        nginx.start()
        words = {"input": "Good morning.", "response_format": "pcm"}
        async with aiohttp.ClientSession() as http:
            await (await http.post(f"{nginx.services}/tts/v1/audio/speech", json=words)).read()
        kept = Path(nginx.layout.cache_dir)
        await soon(lambda: is_there(kept), what="the speech is kept")
        # Nobody would stand in for the worker, and shorter buffers are no help.
        await side.redis.execute("DEL", keys.supervisor(socket.gethostname()))
        await choose(side.redis, "act")
        await world.set_host_load(side.redis, memory=0.97)
        async with tuned.beating():
            await soon(lambda: is_gone(kept), what="the speech is gone")
    finally:
        nginx.remove()
    actions = [(each.first.cause, each.first.action.kind) for each in await tuner_store.read_log(side.redis)]
    assert actions[-2:] == [("memory", "buffer"), ("memory", "clear_cache")]


async def is_there(cache: Path) -> bool:
    return any(names for _, _, names in os.walk(cache))


async def is_gone(cache: Path) -> bool:
    return not await is_there(cache)


async def test_a_busy_box_makes_an_instance_on_it_take_fewer_calls_until_it_is_quiet_again(
    tuned: TunerStack, side: FrontSide, instances: Instances
) -> None:
    await choose(side.redis, "act")
    await world.load_host(side, instances, cpu=0.95)
    async with tuned.beating():
        tried = (await first_that_is(side.redis, "tried")).first
        assert (tried.cause, tried.action.kind) == ("cpu", "cap")
        await soon(lambda: is_limited(side.redis, tried.action.target), what="the instance takes fewer calls")
        await world.set_host_load(side.redis, cpu=0.6)
        kept = (await first_that_is(side.redis, "kept", "reversed")).latest
        assert kept.number == tried.number
        reversed_ = (await first_that_is(side.redis, "reversed")).latest
    assert reversed_.number == tried.number
    # What is decided is kept first, and done then.
    await soon(lambda: is_free(side.redis, tried.action.target), what="the instance takes all its calls")


async def test_what_does_not_help_a_busy_box_is_undone(
    tuned: TunerStack, side: FrontSide, instances: Instances
) -> None:
    await choose(side.redis, "act")
    await world.load_host(side, instances, cpu=0.95)
    async with tuned.beating():
        undone = await first_that_is(side.redis, "undone")
        assert (undone.first.cause, undone.first.action.kind) == ("cpu", "cap")


async def is_limited(redis: RedisClient, name: str) -> bool:
    service: Any
    service, _, instance = name.partition("/")
    return CAP_LIMIT in await instance_table.read(redis, service, instance)


async def is_free(redis: RedisClient, name: str) -> bool:
    return not await is_limited(redis, name)


async def test_a_pool_grows_where_tasks_wait_and_shrinks_when_a_person_says_so(
    tuned: TunerStack, side: FrontSide, instances: Instances
) -> None:
    await world.work_waits(side, instances)
    await choose(side.redis, "act")
    first_audio_ms = [1500.0]
    async with going_on(lambda: world.turns_end(side.redis, first_audio_ms)), tuned.beating():
        row = await first_that_is(side.redis, "tried")
        first_audio_ms[0] = 300.0
        assert (row.first.cause, row.first.action.in_words()) == ("response", "pool llm: 2 → 4")
        await soon(lambda: asyncio.to_thread(lambda: tuned.pool_size() == 4), what="the pool has grown")
        assert (await first_that_is(side.redis, "kept")).first == row.first
    said = await dispatcher(tuned, "undo", str(row.first.number))
    assert "is taken back" in said
    await soon(lambda: asyncio.to_thread(lambda: tuned.pool_size() == POOL), what="the pool is as before")
    assert "taken back by hand" in " ".join((await dispatcher(tuned, "log")).split())
    assert "pool llm" in await dispatcher(tuned, "status")
    assert (await tuner_store.load(side.redis)).find(row.first.number) is None


async def dispatcher(tuned: TunerStack, *words: str) -> str:
    """Return what `dispatcher tuner` prints."""
    process = await asyncio.create_subprocess_exec(
        *(str(BIN / "dispatcher"), "tuner", *words),
        env=own_environment({**tuned.environ, "COLUMNS": "200"}),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    assert process.returncode == os.EX_OK, printed.decode()
    return printed.decode()

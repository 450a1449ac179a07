"""Parameters that instances refuse, as all workers and operators see them, in a real Valkey."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from dispatcher.catalogue import load_catalogue
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import refused_parameters
from dispatcher.routing.overview import read_overview
from dispatcher.settings import Settings
from tests.support.broker import Broker
from tests.support.fleet import Fleet, llm
from tests.support.waiting import WAIT_TIMEOUT_S, eventually


def note(
    redis: RedisClient, parameter: str, *, fingerprint: str = "one", until_s: float | None = None
) -> None:
    until_s = time.time() + 60 if until_s is None else until_s
    refused_parameters.note(
        redis, "A", fingerprint=fingerprint, parameter=parameter, reason="HTTP 400: no", until_s=until_s
    )


async def test_what_one_worker_learned_others_know_and_an_operator_sees(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    note(redis, "response_format=verbose_json")

    known = await refused_parameters.read(redis, {"A": "one", "B": "two"})

    assert [*known] == ["A"]
    assert known["A"]["response_format=verbose_json"][0] == "HTTP 400: no"
    view = next(each for each in (await read_overview(redis)).instances if each.name == "A")
    assert view.refused == {"response_format=verbose_json": "HTTP 400: no"}
    assert 0 < await redis.execute("TTL", keys.refused("A")) <= refused_parameters.REFUSED_TTL_S


async def test_what_was_learned_of_a_line_that_changed_or_long_ago_is_removed(redis: RedisClient) -> None:
    note(redis, "tools", fingerprint="before")
    note(redis, "think", until_s=time.time() - 1)

    assert await refused_parameters.read(redis, {"A": "after"}) == {}
    assert await redis.execute("EXISTS", keys.refused("A")) == 0


@pytest.fixture
def worker(broker: Broker, catalogue_path: Path) -> Iterator[Callable[[], WorkerContext]]:
    """Start the runtime of one more worker process."""
    settings = Settings(redis_url=broker.url, dispatcher_config=catalogue_path)
    started: list[WorkerContext] = []

    def start() -> WorkerContext:
        started.append(WorkerContext.start(settings, load_catalogue(catalogue_path)))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def catalogue_path(tmp_path: Path) -> Path:
    path = tmp_path / "x.yaml"
    instance = {"instances": [{"endpoint": "http://127.0.0.1:9"}]}
    services = {f"{each}_services": instance for each in ("asr", "llm", "tts")}
    path.write_text(yaml.safe_dump({"load_balancing": {"api_gateway": services}}), "utf-8")
    return path


def test_what_one_worker_learned_the_next_one_begins_with_until_the_line_changes(
    worker: Callable[[], WorkerContext], catalogue_path: Path
) -> None:
    first = worker()
    first.run(learned(first), timeout_s=WAIT_TIMEOUT_S)
    second = worker()
    eventually(lambda: "tools" in second.providers.refused.of("llm-1"), what="the second worker knows")

    changed = load_catalogue(catalogue_path)
    llm_ = replace(changed.services["llm"].instances[0], model="another")
    services = {**changed.services, "llm": replace(changed.services["llm"], instances=(llm_,))}
    second.run(second.router.active.adopt(replace(changed, services=services)), timeout_s=WAIT_TIMEOUT_S)
    assert second.providers.refused.of("llm-1") == {}


async def learned(runtime: WorkerContext) -> None:
    instance = runtime.catalogue.instance("llm-1")
    runtime.providers.refused.learn(instance, "tools", "HTTP 400: does not support tools")
    await runtime.redis.execute("PING")

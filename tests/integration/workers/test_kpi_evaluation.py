"""A real control worker that samples, judges and tells."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pytest_celery import CeleryTestSetup

from dispatcher.catalogue.model import AlertRules
from dispatcher.messages import CHECK_HEALTH, CONTROL_QUEUE, JUDGE_KPIS, SAMPLE_METRICS
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text
from dispatcher.routing import instance_table
from dispatcher.routing.overview import read_overview
from dispatcher.telemetry import front_presence, kpi_store, metric_samples, turn_log
from dispatcher.telemetry.front_presence import FrontCounts
from dispatcher.telemetry.kpi_store import KpiSnapshot
from tests.support.front_side import FrontSide
from tests.support.stack import worker_command
from tests.support.waiting import soon

pytestmark = pytest.mark.parametrize(
    "default_worker_command", [worker_command("-Q", "control")], ids=["control"]
)


@pytest.fixture
def redis(front_side: FrontSide) -> RedisClient:
    """A line to the broker of the worker."""
    return front_side.redis


@pytest.fixture
async def told() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a webhook, and what it was told."""
    heard: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/alerts", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/alerts")), heard


async def board_after_a_look(setup: CeleryTestSetup, redis: RedisClient) -> KpiSnapshot:
    """Have the worker judge by hand, and return what it found."""
    before = await kpi_store.read_snapshot(redis)
    await asyncio.to_thread(setup.app.send_task, JUDGE_KPIS, queue=CONTROL_QUEUE)

    async def judged() -> KpiSnapshot | None:
        board = await kpi_store.read_snapshot(redis)
        return None if board == before else board

    board = await soon(judged, what="the figures are judged")
    assert board is not None
    return board


async def test_it_judges_what_fronts_turns_instances_and_the_box_say(
    celery_setup: CeleryTestSetup, redis: RedisClient
) -> None:
    front_presence.publish(redis, "front-1", FrontCounts(devices=5, busy=2, in_turn=1, turns_begun=9))
    for outcome in (*["answered"] * 9, "apologised"):
        turn_log.add(
            redis,
            outcome=outcome,
            asked=True,
            typed=True,
            figures={"first_audio_ms": 700, "llm_first_sentence_ms": 400, "tts_first_audio_ms": 200},
        )
    await board_after_a_look(celery_setup, redis)
    board = await board_after_a_look(celery_setup, redis)
    values = {one.kpi.name: one.kpi.value for one in board.standings}
    assert (values["devices"], values["errors"], values["instances_healthy"]) == (2, 0.1, 0)
    assert values["own_share"] == pytest.approx(0.1)
    assert values["memory"] == board.box.memory_ratio
    assert values["cpu"] is None or 0 <= values["cpu"] <= 1
    assert "control worker" in {process.name for process in board.processes}
    phases = {one.kpi.name: one.alert.phase for one in board.standings}
    assert (phases["errors"], phases["own_share"]) == ("pending", "ok")


async def test_a_tick_keeps_samples_of_every_instance_and_of_the_box(
    celery_setup: CeleryTestSetup, redis: RedisClient
) -> None:
    await board_after_a_look(celery_setup, redis)
    await asyncio.to_thread(celery_setup.app.send_task, SAMPLE_METRICS, queue=CONTROL_QUEUE)

    async def sampled_twice() -> bool:
        return len(await metric_samples.of_host(redis, socket.gethostname())) == 2

    await soon(sampled_twice, what="the second sample")
    for instance in (await read_overview(redis)).instances:
        assert (await metric_samples.of_instance(redis, instance.service, instance.name))[0][
            "state"
        ] == "ready"


async def test_a_health_check_keeps_what_built_in_instances_report(
    celery_setup: CeleryTestSetup, redis: RedisClient
) -> None:
    async def reported() -> bool:
        await asyncio.to_thread(celery_setup.app.send_task, CHECK_HEALTH, queue=CONTROL_QUEUE)
        instances = (await read_overview(redis)).instances
        return bool(instances) and all(one.memory_ratio is not None for one in instances)

    await soon(reported, what="all instances reported their memory")


async def shows(setup: CeleryTestSetup, redis: RedisClient, phase: str) -> bool:
    """Whether the alert about devices is in a phase, after one more look."""
    board = await board_after_a_look(setup, redis)
    return [one.alert.phase for one in board.standings if one.kpi.name == "devices"] == [phase]


async def recorded(redis: RedisClient) -> list[tuple[str, dict[str, Any]]]:
    """Return kind and fields of every record."""
    entries = await redis.execute("XRANGE", keys.RECORDS, "-", "+")
    pairs = [as_text(flat) for _, flat in entries]
    return [(pair["kind"], json.loads(pair["fields"])) for pair in pairs]


async def test_an_alert_fires_once_is_told_and_recorded_and_ends(
    celery_setup: CeleryTestSetup, redis: RedisClient, told: tuple[str, list[dict[str, Any]]]
) -> None:
    url, heard = told
    active = await instance_table.read_active(redis)
    assert active is not None
    rules = AlertRules(after_s=0.001, clear_after_s=0.001, webhook_url=url)
    await instance_table.publish(redis, replace(active.catalogue, alerts=rules))

    busy = FrontCounts(devices=70, busy=61, in_turn=61, turns_begun=61)
    front_presence.publish(redis, "front-1", busy)
    await soon(lambda: shows(celery_setup, redis, "firing"), what="the alert fires")
    assert await shows(celery_setup, redis, "firing")
    front_presence.publish(redis, "front-1", replace(busy, busy=3))
    await soon(lambda: shows(celery_setup, redis, "resolved"), what="the alert ends")

    async def both_told() -> list[dict[str, Any]] | None:
        about = [one for one in heard if one["name"] == "devices"]
        return about if [one["phase"] for one in about] == ["firing", "resolved"] else None

    first = (await soon(both_told, what="both changes are told") or [])[0]
    assert (first["value"], first["bound"], first["host"]) == (61, 60, socket.gethostname())
    records = await recorded(redis)
    alerts = [fields for kind, fields in records if kind == "alert" and fields["name"] == "devices"]
    assert [fields["phase"] for fields in alerts] == ["firing", "resolved"]
    assert {kind for kind, _ in records} == {"kpi", "sample", "alert"}
    log = celery_setup.worker.container.logs()
    assert "alert firing" in log
    assert "alert resolved" in log

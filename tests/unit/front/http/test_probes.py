"""Whether a front is alive, and whether it can take a turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dispatcher import __version__
from dispatcher.front.http.probes import START
from tests.unit.front.front_app import FrontApp, open_front_app


@pytest.fixture
async def front_app(tmp_path: Path) -> AsyncIterator[FrontApp]:
    """A front that can take a turn."""
    async with open_front_app(tmp_path) as opened:
        opened.context.status.replies_flow = True
        opened.app[START].over = True
        yield opened


async def ready(front_app: FrontApp) -> tuple[int, dict[str, Any]]:
    answer = await front_app.get("/readyz")
    return answer.status, await answer.json()


async def test_a_running_front_is_alive_even_without_a_broker(front_app: FrontApp) -> None:
    front_app.redis.away = True
    answer = await front_app.get("/healthz")

    assert answer.status == 200
    assert await answer.json() == {"status": "ok", "version": __version__, "server_id": "front", "weight": 1}


async def test_a_front_with_broker_and_replies_is_ready(front_app: FrontApp) -> None:
    assert await ready(front_app) == (
        200,
        {"status": "ready", "devices": 0, "checks": {"broker": "ok", "replies": "ok"}},
    )


async def test_a_front_without_a_broker_says_why_it_is_not_ready(front_app: FrontApp) -> None:
    front_app.redis.away = True
    status, said = await ready(front_app)

    assert status == 503
    assert said["status"] == "not ready"
    assert "connection refused" in said["checks"]["broker"]


async def test_a_broker_that_does_not_answer_is_not_waited_for(front_app: FrontApp) -> None:
    front_app.redis.answers.clear()
    status, said = await ready(front_app)
    front_app.redis.answers.set()

    assert (status, said["checks"]["broker"]) == (503, "no answer in 1 s")


async def test_a_front_without_its_reply_stream_is_not_ready(front_app: FrontApp) -> None:
    front_app.context.status.replies_flow = False

    status, said = await ready(front_app)
    assert (status, said["checks"]["replies"]) == (503, "no stream yet")


async def test_a_front_that_is_about_to_stop_is_not_ready(front_app: FrontApp) -> None:
    front_app.context.status.draining = True

    status, said = await ready(front_app)
    assert (status, said["checks"]["front"]) == (503, "draining")


async def test_a_front_is_not_ready_before_the_stages_have_started_though_the_part_itself_is(
    front_app: FrontApp,
) -> None:
    front_app.app[START].over = False
    status, said = await ready(front_app)
    alone = await front_app.get("/readyz?only=front")

    assert status == 503
    assert "does not know" in said["checks"]["stages"]
    assert alone.status == 200


async def test_people_are_told_how_each_stage_stands_though_the_verdict_does_not_go_by_it(
    front_app: FrontApp,
) -> None:
    answer = await front_app.get("/readyz?stages=now")
    said = await answer.json()

    assert answer.status == 200
    assert "does not know" in said["stages"]["stages"]


async def test_stages_are_not_asked_for_while_the_broker_is_away(front_app: FrontApp) -> None:
    front_app.redis.away = True
    said = await (await front_app.get("/readyz?stages=now")).json()

    assert "stages" not in said

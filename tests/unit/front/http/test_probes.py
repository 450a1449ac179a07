"""Whether a front is alive, and whether it can take a turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dispatcher import __version__
from dispatcher.front.http.probes import START
from tests.unit.front.house import House, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A front that can take a turn."""
    async with open_house(tmp_path) as opened:
        opened.context.replies_flow = True
        opened.app[START].over = True
        yield opened


async def ready(house: House) -> tuple[int, dict[str, Any]]:
    answer = await house.get("/readyz")
    return answer.status, await answer.json()


async def test_a_running_front_is_alive_even_without_a_broker(house: House) -> None:
    house.redis.away = True
    answer = await house.get("/healthz")

    assert answer.status == 200
    assert await answer.json() == {"status": "ok", "version": __version__, "server_id": "front", "weight": 1}


async def test_a_front_with_broker_and_replies_is_ready(house: House) -> None:
    assert await ready(house) == (
        200,
        {"status": "ready", "devices": 0, "checks": {"broker": "ok", "replies": "ok"}},
    )


async def test_a_front_without_a_broker_says_why_it_is_not_ready(house: House) -> None:
    house.redis.away = True
    status, said = await ready(house)

    assert status == 503
    assert said["status"] == "not ready"
    assert "connection refused" in said["checks"]["broker"]


async def test_a_broker_that_does_not_answer_is_not_waited_for(house: House) -> None:
    house.redis.answers.clear()
    status, said = await ready(house)
    house.redis.answers.set()

    assert (status, said["checks"]["broker"]) == (503, "no answer in 1 s")


async def test_a_front_without_its_reply_stream_is_not_ready(house: House) -> None:
    house.context.replies_flow = False

    status, said = await ready(house)
    assert (status, said["checks"]["replies"]) == (503, "no stream yet")


async def test_a_front_that_is_about_to_stop_is_not_ready(house: House) -> None:
    house.context.draining = True

    status, said = await ready(house)
    assert (status, said["checks"]["front"]) == (503, "draining")


async def test_a_front_is_not_ready_before_the_stages_have_started_though_the_part_itself_is(
    house: House,
) -> None:
    house.app[START].over = False
    status, said = await ready(house)
    alone = await house.get("/readyz?only=front")

    assert status == 503
    assert "does not know" in said["checks"]["stages"]
    assert alone.status == 200


async def test_people_are_told_how_each_stage_stands_though_the_verdict_does_not_go_by_it(
    house: House,
) -> None:
    answer = await house.get("/readyz?stages=now")
    said = await answer.json()

    assert answer.status == 200
    assert "does not know" in said["stages"]["stages"]


async def test_stages_are_not_asked_for_while_the_broker_is_away(house: House) -> None:
    house.redis.away = True
    said = await (await house.get("/readyz?stages=now")).json()

    assert "stages" not in said

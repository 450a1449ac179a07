"""Overload as an operator sees it, and a pin over it."""

from __future__ import annotations

import getpass

import pytest

from dispatcher.control.overload_status import OverloadStatus, pin_step, read_overload
from dispatcher.control.overrides import OVERLOAD_PIN, set_override
from dispatcher.redis_client.client import RedisClient
from dispatcher.telemetry import front_presence
from dispatcher.telemetry.front_presence import FrontCounts


async def test_the_highest_step_the_longest_line_and_those_turned_away_are_told(redis: RedisClient) -> None:
    assert await read_overload(redis) == OverloadStatus()
    assert OverloadStatus().in_words() == ""
    for front_id, step, line_ms, away in (("one", 2, 1_400, 0), ("two", 5, 9_100, 3)):
        counts = FrontCounts(
            devices=1, busy=0, in_turn=0, turns_begun=9, overload_step=step, line_ms=line_ms, turned_away=away
        )
        front_presence.publish(redis, front_id, counts)
    status = await read_overload(redis)
    assert status.fronts == {"one": 2, "two": 5}
    assert status.in_words() == (
        "overload: step 5 of 5, too many at once: new turns are turned away; a line of 9.1 s; "
        "3 turns turned away since the fronts started"
    )


async def test_a_pin_says_who_and_when_until_it_ends(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    for step in (0, 3):
        pinned = await pin_step(redis, step)
        status = await read_overload(redis)
        assert pinned is not None
        assert status.pin == pinned
        assert f"step {step} was pinned by ada@" in status.in_words()
    assert await pin_step(redis, None) is None
    assert (await read_overload(redis)).pin is None


@pytest.mark.parametrize("text", ["6 1 ada", "ada", "3 ada"])
async def test_a_pin_that_makes_no_sense_is_none(redis: RedisClient, text: str) -> None:
    await set_override(redis, OVERLOAD_PIN, text)
    assert (await read_overload(redis)).pin is None

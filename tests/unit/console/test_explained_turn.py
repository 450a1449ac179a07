"""The explanation of a turn, and the words in it that only the YAML shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.catalogue.model import ConsoleRules
from dispatcher.console.page_sections import explain
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.telemetry import turn_log
from tests.support.fleet import Fleet, catalogue_of, llm

TURN = "5f0c1d2e3b4a"


@pytest.mark.parametrize("shown", [True, False])
async def test_words_are_shown_while_the_catalogue_shows_them(
    fleet: Fleet,
    redis: RedisClient,
    shown: bool,  # noqa: FBT001
) -> None:
    catalogue = catalogue_of("round_robin", [llm("A")])
    await instance_table.publish(redis, replace(catalogue, console=ConsoleRules(transcripts=shown)))
    await fleet.try_pick(turn_id=TURN)
    figures, words = {"turn": TURN}, ("When do we eat?", "At noon.")
    turn_log.add(redis, outcome="answered", asked=True, typed=True, figures=figures, words=words)
    told = await explain(redis, TURN)
    assert (told["end"]["said"], told["end"]["answered"]) == (words if shown else ("", ""))
    assert told["end"]["outcome"] == "answered"

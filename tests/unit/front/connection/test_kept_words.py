"""Words of a turn: kept for the console where the YAML asks for it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dispatcher.catalogue.model import ConsoleRules
from dispatcher.redis_client import keys
from tests.unit.front.connection.test_turn_runner import running
from tests.unit.front.fakes import fake_front, settle


@pytest.mark.parametrize("shown", [True, False])
async def test_words_of_a_turn_are_kept_only_where_the_console_shows_them(shown: bool) -> None:  # noqa: FBT001
    front = fake_front()
    active = front.context.active
    active.current = replace(active.current, console=ConsoleRules(transcripts=shown))
    turn = await running(front, text="When do we eat?")
    turn.answer()
    await settle()
    (kept,) = map(json.loads, front.redis.lists[keys.TURNS])
    assert (kept.get("said"), kept.get("answered")) == (
        ("When do we eat?", "At noon.") if shown else (None, None)
    )

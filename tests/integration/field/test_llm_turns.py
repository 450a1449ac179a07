"""Whole turns against an LLM that sends what public reports describe: the device says what was meant."""

from __future__ import annotations

import pytest

from tests.integration.field.combined_turns import COMBINED
from tests.integration.field.llm_turns import TURNS, FieldTurn
from tests.support.services.field import FieldServer
from tests.support.stack import Stack


@pytest.mark.parametrize("turn", [*TURNS, *COMBINED], ids=lambda turn: turn.case)
async def test_the_device_says_what_was_meant(
    field_stack: Stack, field: FieldServer, turn: FieldTurn
) -> None:
    field.script.llm[turn.case] = turn.answers
    async with field_stack.front.device(f"field-{turn.case[:40]}") as device:
        answer = await device.types(f"case: {turn.case}")
    # Where it is cut into sentences depends on when its bytes came.
    assert " ".join(answer.sentences) == " ".join(turn.sentences), turn.report
    assert answer.packets, turn.report
    assert len(field.calls_of(turn.case, "field")) == turn.requests, turn.report

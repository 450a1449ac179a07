from __future__ import annotations

from dispatcher.dialogue.stage_clock import StageClock
from dispatcher.messages import TOOL_TIMEOUT_S


def test_each_reply_begins_the_wait_anew() -> None:
    clock = StageClock(100.0, 10.0)
    assert clock.late_at == 110.0
    clock.on_reply("sentence", 103.0)
    assert clock.late_at == 113.0


def test_only_time_between_signs_of_life_counts_as_thinking() -> None:
    clock = StageClock(100.0, 10.0)
    clock.on_reply("alive", 102.0)
    clock.on_reply("sentence", 103.0)
    clock.on_reply("alive", 104.0)
    assert clock.alive_s == 3.0


def test_a_tool_has_its_time_until_it_ends() -> None:
    clock = StageClock(100.0, 10.0)
    clock.start_tool(is_last=False)
    assert clock.late_at == 110.0 + TOOL_TIMEOUT_S
    clock.end_tool(105.0)
    assert clock.late_at == 115.0


def test_a_tool_that_ended_with_its_call_gets_no_time() -> None:
    clock = StageClock(100.0, 10.0)
    clock.start_tool(is_last=True)
    assert clock.late_at == 110.0

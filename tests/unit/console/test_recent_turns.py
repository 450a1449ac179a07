"""The last turns, as the streams and the store tell them."""

from __future__ import annotations

from dispatcher.console.call_history import SeenCall
from dispatcher.console.recent_turns import TURNS_SHOWN, RecentTurns

PICK = {"turn": "a", "service": "llm", "instance": "llm-1", "lease": "1", "reason": "", "candidates": "llm-1"}
HEDGE = PICK | {"lease": "2", "instance": "llm-2", "candidates": "llm-1 failed this call, llm-2"}


def test_a_turn_shows_its_calls_whichever_of_the_two_streams_comes_first() -> None:
    turns = RecentTurns()
    turns.add_record("turn", {"turn": "a", "outcome": "answered", "text": "secret"})
    turns.add_decision(PICK, SeenCall("call", "llm"))
    turns.add_decision(HEDGE, SeenCall("hedge", "llm"))
    turns.add_record("kpi", {"turn": "b"})
    assert turns.newest() == [{"turn": "a", "outcome": "answered", "calls": {"call": 1, "hedge": 1}}]


def test_the_newest_come_first_and_earlier_ones_of_the_store_stand_behind() -> None:
    turns = RecentTurns()
    turns.add_record("turn", {"turn": "new"})
    turns.add_earlier([{"turn": "old"}, {"turn": "new"}])
    assert [each["turn"] for each in turns.newest()] == ["new", "old"]
    for number in range(TURNS_SHOWN):
        turns.add_record("turn", {"turn": str(number)})
    assert len(turns.newest()) == TURNS_SHOWN
    assert turns.newest()[0]["turn"] == str(TURNS_SHOWN - 1)


def test_waits_and_late_frames_are_counted_over_all_that_are_remembered() -> None:
    turns = RecentTurns()
    for wait_ms in (5, 40):
        turns.add_record("turn", {"device": "d", "gaps": 2, "llm_wait_ms": wait_ms})
    assert turns.wait_p95_ms() == {"asr": None, "llm": 40, "tts": None}
    assert turns.late_frames() == {"d": 4}

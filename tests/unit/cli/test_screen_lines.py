"""The lines that an operator reads while `make run` runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dispatcher.cli.supervisor.screen_lines import is_told_by_turn, reloaded_revision, turn_line

NOW = datetime(2026, 1, 2, 22, 11, 26, tzinfo=UTC)
TURN = {
    "turn": "2f9edb0011223344",
    "device": "kitchen",
    "said": "现在几点了？",
    "outcome": "answered",
    "reason": "",
    "first_audio_ms": 118.2,
    "instances": ["llm-1", "tts-2"],
}


def shown(**changed: Any) -> str:
    return str(turn_line(json.dumps({**TURN, **changed}), NOW))


def test_a_turn_is_one_line_for_people() -> None:
    assert shown() == '22:11:26 kitchen "现在几点了？" answered after 118 ms llm-1 tts-2 turn 2f9edb'


def test_where_the_screen_is_no_terminal_nothing_of_what_was_said_is_in_it() -> None:
    assert shown(said="") == "22:11:26 kitchen answered after 118 ms llm-1 tts-2 turn 2f9edb"


def test_an_apology_says_why_and_what_tells_more() -> None:
    line = shown(outcome="apologised", reason="llm-1: HTTP 500", instances=[])
    assert line.endswith("apologised after 118 ms turn 2f9edb: llm-1: HTTP 500; dispatcher why 2f9edb")


@pytest.mark.parametrize("said", ["\x1b[2J\x1b]0;title\x07", "a\nb\rc", "[red]x[/]", "长" * 500])
def test_what_a_user_says_cannot_steer_the_terminal(said: str) -> None:
    line = shown(said=said)
    assert line.isprintable()
    assert len(line) < 150


@pytest.mark.parametrize("told", ["", "{", "[]", "null", '{"outcome": 1}'])
def test_what_is_no_turn_prints_nothing(told: str) -> None:
    assert turn_line(told, NOW) is None


def test_a_warning_that_the_line_of_its_turn_tells_is_no_second_line() -> None:
    assert is_told_by_turn("2026-01-02T03:04:05Z [warning  ] turn apologised for  turn=2f reason=x")
    assert not is_told_by_turn("2026-01-02T03:04:05Z [warning  ] instance down  instance=llm-1")


@pytest.mark.parametrize(
    ("line", "revision"),
    [
        ("2026-01-02T03:04:05Z [info     ] catalogue swapped    revision=7", "7"),
        ('{"revision": 12, "event": "catalogue swapped", "level": "info"}', "12"),
        ("2026-01-02T03:04:05Z [info     ] turn finished  revision=7", ""),
    ],
)
def test_a_reload_is_seen_in_both_forms_of_log(line: str, revision: str) -> None:
    assert reloaded_revision(line) == revision

"""The lines that an operator reads while `make run` runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dispatcher.supervisor.process_output import Level
from dispatcher.supervisor.process_spec import Role
from dispatcher.supervisor.ui_messages import (
    OUTAGE_GAP,
    OutputFilter,
    Shown,
    news_lines,
    reloaded_revision,
    repeats_turn,
    turn_line,
)

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
    assert repeats_turn("2026-01-02T03:04:05Z [warning  ] turn apologised for  turn=2f reason=x")
    assert not repeats_turn("2026-01-02T03:04:05Z [warning  ] instance down  instance=llm-1")


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


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            (
                "2026-01-02T03:04:05Z [warning  ] catalogue refused, the one before stays "
                "problems=[\"mine.yaml:16: algorithm: was 'least'; expected one of a, b\", "
                "'mine.yaml:18: x: unknown']"
            ),
            [
                "22:11:26 the YAML was refused, what is active stays:",
                "  mine.yaml:16: algorithm: was 'least'; expected one of a, b",
                "  mine.yaml:18: x: unknown",
            ],
        ),
        (
            (
                '{"problems": ["mine.yaml:1: no"], "event": "catalogue refused, the active one is used", '
                '"level": "warning"}'
            ),
            ["22:11:26 the YAML was refused, what is active stays:", "  mine.yaml:1: no"],
        ),
        (
            (
                "2026-01-02T03:04:05Z [warning  ] alert firing         name=cpu at_ms=1 value=0.998 "
                "unit=ratio target=0.8 bound=0.9 phase=firing detail="
            ),
            ["22:11:26 alert: cpu at 99.8 %, allowed 90.0 %"],
        ),
        (
            (
                "2026-01-02T03:04:05Z [warning  ] alert firing         name=instances_healthy at_ms=1 "
                "value=1 unit=count target=0 bound=0 phase=firing detail='ollama, llm-3'"
            ),
            ["22:11:26 alert: instances unhealthy at 1, allowed 0 (ollama, llm-3)"],
        ),
        (
            (
                "\x1b[2m2026-01-02T03:04:05Z\x1b[0m [\x1b[33m\x1b[1mwarning  \x1b[0m] \x1b[1minstance down"
                "\x1b[0m       \x1b[36minstance\x1b[0m=\x1b[35masr-1\x1b[0m reason='HTTP 503: loading'"
            ),
            ["22:11:26 asr-1 is down: HTTP 503: loading"],
        ),
        (
            "2026-01-02T03:04:05Z [warning  ] instance not configured instance=llm-1 reason='set KEY'",
            ["22:11:26 llm-1 is not configured: set KEY"],
        ),
        (
            "2026-01-02T03:04:05Z [warning  ] instance recovered   instance=llm-1",
            ["22:11:26 llm-1 has recovered"],
        ),
        (
            "2026-01-02T03:04:05Z [warning  ] queue has no worker left, taken over queue=asr",
            ["22:11:26 queue asr has no worker; another worker takes its tasks"],
        ),
        (
            (
                "2026-01-02T03:04:05Z [warning  ] pool keeps its size until a restart or `celery control "
                "pool_grow` queue=asr sized_for=4 slots=6"
            ),
            [
                (
                    "22:11:26 the asr worker has room for 4 calls at once, the YAML allows 6: "
                    "`dispatcher restart asr`"
                )
            ],
        ),
        ("2026-01-02T03:04:05Z [warning  ] instance late, another one asked instance=llm-1", []),
        ("2026-01-02T03:04:05Z [warning  ] lease not given back instance=llm-1 reason='gone'", []),
        ("{", []),
        ("no log line at all", []),
    ],
)
def test_a_warning_that_a_newcomer_reads_is_told_in_words(line: str, told: list[str]) -> None:
    assert news_lines(line, NOW) == told


def test_what_a_server_gives_as_a_reason_cannot_steer_the_terminal() -> None:
    line = json.dumps({"event": "instance down", "instance": "a", "reason": "\x1b[2J\n" + "x" * 5000})
    told = news_lines(line, NOW)
    assert len(told) == 1
    assert told[0].isprintable()
    assert len(told[0]) < 500


LOST = (
    "2026-11-30T11:07:19Z [warning  ] consumer: Connection to broker lost. Trying to re-establish it",
    "2026-11-30T11:07:19Z [warning  ] redis went away  reason='nothing answers at 10.0.0.9:6379.'",
    "2026-11-30T11:07:20Z [error    ] broker out of reach  reason='Error 111 connecting to 10.0.0.9:6379.'",
)


def output_filter(*, verbose: bool = False) -> OutputFilter:
    found = OutputFilter(verbose=verbose, redis_address="10.0.0.9:6379")
    found.is_starting = False
    return found


def test_an_outage_of_redis_is_one_message_for_all_processes() -> None:
    shown = output_filter()
    outage = [shown.shown_of("worker", line, "warning", is_summary=False, now=NOW) for line in LOST]
    assert [each.message for each in outage] == [
        "22:11:26 Redis at 10.0.0.9:6379 is unreachable; all processes connect again",
        "",
        "",
    ]
    assert not any(each.is_raw for each in outage)
    later = shown.shown_of("worker", LOST[0], "warning", is_summary=False, now=NOW + 2 * OUTAGE_GAP)
    assert later.message


def test_advice_of_the_broker_at_its_start_is_not_shown() -> None:
    line = "1:M 30 Nov 2026 11:07:22.914 # WARNING Memory overcommit must be enabled!"
    assert output_filter().shown_of("broker", line, "warning", is_summary=False, now=NOW) == Shown()


@pytest.mark.parametrize(
    ("level", "is_summary", "is_raw"),
    [("info", False, False), ("info", True, True), ("warning", False, True), ("error", False, True)],
)
def test_only_lines_that_matter_are_shown(level: Level, *, is_summary: bool, is_raw: bool) -> None:
    shown = output_filter().shown_of("front", "something else", level, is_summary=is_summary, now=NOW)
    assert shown.is_raw == is_raw


def test_a_verbose_terminal_shows_every_line_and_a_starting_one_none() -> None:
    verbose, starting = output_filter(verbose=True), output_filter()
    starting.is_starting = True
    assert verbose.shown_of("front", "a line", "info", is_summary=False, now=NOW).is_raw
    assert starting.shown_of("front", "a line", "error", is_summary=False, now=NOW) == Shown()


def test_a_reload_is_one_message_of_the_front() -> None:
    line = "2026-01-02T03:04:05Z [info     ] catalogue swapped  revision=7"
    shown = output_filter()
    roles: tuple[Role, ...] = ("worker", "front", "front")
    messages = [shown.shown_of(role, line, "info", is_summary=False, now=NOW).message for role in roles]
    assert messages == ["", "22:11:26 the YAML was reloaded: revision 7 is in force", ""]

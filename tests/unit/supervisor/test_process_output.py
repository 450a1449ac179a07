"""What is kept of the processes' output, and what is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dispatcher.messages import SCREEN_TURN_SIGN
from dispatcher.supervisor.process_output import REOPEN_INTERVAL_S, LineReader, OutputReader, ProcessLog
from dispatcher.supervisor.process_spec import Role


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ProcessLog]:
    part_log = ProcessLog(tmp_path / "log" / "asr-1.log", longest_bytes=100)
    yield part_log
    part_log.close()


def test_a_full_log_becomes_the_one_older_file(log: ProcessLog) -> None:
    for number in range(30):
        log.write(f"line {number:02}")
    older = log.path.with_name("asr-1.log.1")
    assert sorted(path.name for path in log.path.parent.iterdir()) == ["asr-1.log", "asr-1.log.1"]
    assert older.stat().st_size < 110
    assert (older.read_text() + log.path.read_text()).splitlines()[-1] == "line 29"


def test_the_last_lines_have_no_colours_and_no_blank_lines(log: ProcessLog) -> None:
    for line in ("one", "\x1b[31mtwo\x1b[0m", "", "three"):
        log.write(line)
    assert log.last_lines(2) == ["two", "three"]


def test_the_last_lines_are_those_of_this_run(log: ProcessLog) -> None:
    log.write("from the run before")
    log.begin_run()
    log.write("from this run")
    assert log.last_lines(5) == ["from this run"]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("2026-01-02T03:04:05Z [info     ] turn finished", "info"),
        ("2026-01-02T03:04:05Z [warning  ] instance ejected  instance=llm-2", "warning"),
        ("\x1b[2m2026-01-02\x1b[0m [\x1b[31m\x1b[1merror    \x1b[0m] no answer", "error"),
        ('{"event": "instance ejected", "level": "warning"}', "warning"),
        ("[2026-01-02 03:04:05,678: ERROR/MainProcess] consumer: Cannot connect", "error"),
        ("WARNING:root:something", "warning"),
        ("13341:M 23 Nov 2026 21:05:39.427 # WARNING Memory overcommit must be enabled!", "warning"),
        ("13341:M 23 Nov 2026 21:05:39.427 * Ready to accept connections", "info"),
        ("an error that names no level", "info"),
    ],
)
def test_the_level_is_read_from_each_form_of_line(line: str, level: str) -> None:
    assert LineReader().level_of(line) == level


def test_a_traceback_is_an_error_to_its_end() -> None:
    reader = LineReader()
    lines = ["Traceback (most recent call last):", '  File "x.py", line 1', "KeyError: 'a'"]
    assert [reader.level_of(line) for line in lines] == ["error"] * 3
    assert reader.level_of("2026-01-02T03:04:05Z [info     ] ready") == "info"


SUMMARY = "2026-01-02T03:04:05Z [info     ] turn finished  first_audio_ms=840"


def output_of(
    role: Role, *lines: str, folder: Path, is_stopping: bool = False
) -> tuple[list[Any], list[str]]:
    """Return level and summary flag of each line that is shown, and the turns."""
    shown: list[Any] = []
    turns: list[str] = []
    reader = OutputReader(
        role,
        ProcessLog(folder / "a.log"),
        on_output=lambda _line, level, is_summary: shown.append((level, is_summary)),
        on_turn=turns.append,
        is_stopping=lambda: is_stopping,
    )
    for line in lines:
        reader.take(line)
    reader.log.close()
    return shown, turns


def test_only_a_fronts_turn_summary_is_a_summary(tmp_path: Path) -> None:
    assert output_of("front", SUMMARY, folder=tmp_path) == ([("info", True)], [])
    assert output_of("worker", SUMMARY, folder=tmp_path) == ([("info", False)], [])


def test_a_turn_for_the_terminal_is_in_no_file_and_its_summary_is_no_news(tmp_path: Path) -> None:
    shown, turns = output_of("front", f'{SCREEN_TURN_SIGN}{{"said": "secret"}}', SUMMARY, folder=tmp_path)
    assert (shown, turns) == ([("info", False)], ['{"said": "secret"}'])
    assert "secret" not in (tmp_path / "a.log").read_text()


def test_the_warnings_of_a_stop_that_was_asked_for_are_none(tmp_path: Path) -> None:
    lines = ("[warning  ] worker: Warm shutdown", "[error    ] it broke")
    shown, _ = output_of("worker", *lines, folder=tmp_path, is_stopping=True)
    assert [level for level, _ in shown] == ["info", "error"]


def test_a_disk_that_takes_nothing_costs_lines_and_the_file_says_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("dispatcher.supervisor.process_output.time.monotonic", lambda: clock[0])
    folder = tmp_path / "log"
    folder.write_text("where the folder should be")
    log = ProcessLog(folder / "front.log")
    log.write("lost")
    clock[0] += REOPEN_INTERVAL_S
    log.write("lost too")
    assert log.trouble
    assert log.last_lines(2) == ["lost", "lost too"]
    folder.unlink()
    clock[0] += REOPEN_INTERVAL_S
    log.write("kept")
    log.close()
    assert log.trouble == ""
    assert "2 lines were lost: " in log.path.read_text()
    assert log.path.read_text().splitlines()[-1] == "kept"

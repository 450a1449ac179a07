"""What is kept of the processes' output, and what is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.supervisor.process_logs import REOPEN_INTERVAL_S, LineReader, PartLog


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PartLog]:
    part_log = PartLog(tmp_path / "log" / "asr-1.log", longest_bytes=100)
    yield part_log
    part_log.close()


def test_a_full_log_becomes_the_one_older_file(log: PartLog) -> None:
    for number in range(30):
        log.write(f"line {number:02}")
    older = log.path.with_name("asr-1.log.1")
    assert sorted(path.name for path in log.path.parent.iterdir()) == ["asr-1.log", "asr-1.log.1"]
    assert older.stat().st_size < 110
    assert (older.read_text() + log.path.read_text()).splitlines()[-1] == "line 29"


def test_the_last_lines_have_no_colours_and_no_blank_lines(log: PartLog) -> None:
    for line in ("one", "\x1b[31mtwo\x1b[0m", "", "three"):
        log.write(line)
    assert log.last_lines(2) == ["two", "three"]


def test_the_last_lines_are_those_of_this_run(log: PartLog) -> None:
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
    assert LineReader("other").level_of(line) == level


def test_a_traceback_is_an_error_to_its_end() -> None:
    reader = LineReader("worker")
    lines = ["Traceback (most recent call last):", '  File "x.py", line 1', "KeyError: 'a'"]
    assert [reader.level_of(line) for line in lines] == ["error"] * 3
    assert reader.level_of("2026-01-02T03:04:05Z [info     ] ready") == "info"


def test_only_a_fronts_turn_summary_is_a_summary() -> None:
    line = "2026-01-02T03:04:05Z [info     ] turn finished  first_audio_ms=840"
    assert LineReader("front").is_summary(line)
    assert not LineReader("worker").is_summary(line)


def test_a_disk_that_takes_nothing_costs_lines_and_the_file_says_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("dispatcher.supervisor.process_logs.time.monotonic", lambda: clock[0])
    folder = tmp_path / "log"
    folder.write_text("where the folder should be")
    log = PartLog(folder / "front.log")
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

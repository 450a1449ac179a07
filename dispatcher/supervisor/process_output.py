"""Output of a process: its bounded log file, the level of each line, and turns for the terminal UI."""

from __future__ import annotations

import errno
import io
import os
import re
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from dispatcher.messages import SCREEN_TURN_SIGN
from dispatcher.supervisor.process_spec import Role

Level = Literal["info", "warning", "error"]

LONGEST_FILE_BYTES: Final = 5_000_000
LINES_REMEMBERED: Final = 20
REOPEN_INTERVAL_S: Final = 1.0
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")
# structlog's console and JSON forms, Celery's and the standard library's, and Valkey's (`# ` is a warning).
_LEVEL: Final = re.compile(
    r"\[(debug|info|warning|error|critical)\s*\]"
    r'|"level":\s*"(\w+)"'
    r"|\b(DEBUG|INFO|WARNING|ERROR|CRITICAL|FATAL)[:/\]]"
    r"|^\d+:[A-Z] .{20,26} ([#*.-]) "
)
_LEVELS: Final[dict[str, Level]] = {
    "warning": "warning",
    "#": "warning",
    "error": "error",
    "critical": "error",
    "fatal": "error",
}
_TURN_SUMMARY: Final = "turn finished"


class ProcessLog:
    """The log file of one process, `NAME.log`, with one older file beside it (`NAME.log.1`).

    A disk that is full or read-only costs the lines of that time and nothing else: the file says how many.

    Attributes:
        trouble: why lines are being lost; empty while they are kept.
    """

    def __init__(self, path: Path, *, longest_bytes: int = LONGEST_FILE_BYTES) -> None:
        self._path = path
        self._longest_bytes = longest_bytes
        self._tail: deque[str] = deque(maxlen=LINES_REMEMBERED)
        self._file: io.FileIO | None = None
        self._reopen_at_s = 0.0
        self._lost_lines = 0
        self.trouble = ""
        try:
            self._file = self._open()
        except OSError as error:
            self._fail(error)

    @property
    def path(self) -> Path:
        """The file that is being written."""
        return self._path

    def begin_run(self) -> None:
        """Forget the last lines: those of an earlier run explain nothing any more."""
        self._tail.clear()

    def write(self, line: str) -> None:
        """Append a line, or lose it; a full file becomes the older one first."""
        if line.strip():
            self._tail.append(_ANSI.sub("", line))
        if self._file is None and time.monotonic() < self._reopen_at_s:
            self._lost_lines += 1
            return
        try:
            self._append(line)
        except OSError as error:
            self._lost_lines += 1
            self._fail(error)

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines of this run, without colours."""
        return list(self._tail)[-count:]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _open(self) -> io.FileIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Without a buffer: what could not be written must not wait for the next write and fail it too.
        return self._path.open("ab", buffering=0)

    def _append(self, line: str) -> None:
        file = self._file = self._file or self._open()
        if file.tell() >= self._longest_bytes:
            file.close()
            self._file = None
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            file = self._file = self._open()
        note = f"\n{self._lost_lines} lines were lost: {self.trouble}\n" if self._lost_lines else ""
        text = f"{note}{line}\n".encode("utf-8", "replace")
        if file.write(text) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._lost_lines, self.trouble = 0, ""

    def _fail(self, error: OSError) -> None:
        self.trouble = (error.strerror or str(error)).lower()
        self._reopen_at_s = time.monotonic() + REOPEN_INTERVAL_S
        self.close()
        self._file = None


class LineReader:
    """Level of each line of one process.

    A line that names no level has that of the one before it: a traceback is an error to its end.
    """

    def __init__(self) -> None:
        self._level: Level = "info"

    def level_of(self, line: str) -> Level:
        """Return the level of the next line."""
        plain = _ANSI.sub("", line)
        if plain.startswith("Traceback (most recent call last)"):
            self._level = "error"
        elif match := _LEVEL.search(plain[:200]):
            word = next(group for group in match.groups() if group)
            self._level = _LEVELS.get(word.lower(), "info")
        return self._level


class OutputReader:
    """Takes the lines of a process apart: into its log file, to the terminal UI, and turns of a front.

    Attributes:
        log: the file.
    """

    def __init__(
        self,
        role: Role,
        log: ProcessLog,
        *,
        on_output: Callable[[str, Level, bool], None],
        on_turn: Callable[[str], None],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Read the output of a process.

        Args:
            role: of the process; a front prints summaries of turns.
            log: where each line is kept.
            on_output: takes a line, its level, and whether it is a summary that is worth showing.
            on_turn: takes a turn for the terminal UI, as JSON.
            is_stopping: servers warn of their own stop, which is no news where it was requested.
        """
        self.log = log
        self._role = role
        self._on_output = on_output
        self._on_turn = on_turn
        self._is_stopping = is_stopping
        self._lines = LineReader()
        self._sends_turns = False

    def begin_run(self) -> None:
        """Start anew with the output of another run."""
        self.log.begin_run()
        self._lines = LineReader()

    def take(self, line: str) -> None:
        """Take the next line."""
        if line.startswith(SCREEN_TURN_SIGN):  # it may hold what a user said, which no file keeps
            self._sends_turns = True
            self._on_turn(line.removeprefix(SCREEN_TURN_SIGN))
            return
        self.log.write(line)
        level = self._lines.level_of(line)
        if level == "warning" and self._is_stopping():
            level = "info"
        is_summary = self._role == "front" and _TURN_SUMMARY in line and not self._sends_turns
        self._on_output(line, level, is_summary)

"""What processes print: a bounded file for each, and which lines are worth the operator's eye."""

from __future__ import annotations

import errno
import io
import os
import re
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

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


class PartLog:
    """The log file of one part, `NAME.log`, with one older file beside it (`NAME.log.1`).

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
        """Forget the last lines: what an earlier run of the process said explains nothing any more."""
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
    """Tells how grave the lines of one process are.

    A line that names no level belongs to the one before it: the rest of a traceback is as grave as its head.
    """

    def __init__(self, role: Role) -> None:
        self._role = role
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

    def is_summary(self, line: str) -> bool:
        """Return whether the line is a front's summary of a turn."""
        return self._role == "front" and _TURN_SUMMARY in line

"""Files whose sha256 was checked: a note for each, so that 145 MB are not read again at every start."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dispatcher.errors import StartError


class CheckedFiles:
    """The notes, in one JSON file that all instances of a machine share."""

    def __init__(self, notes: Path, expected: Mapping[str, str]) -> None:
        """Check against these sums, by the names of the files."""
        self._notes = notes
        self._expected = expected

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes out; waits for one that is inside.

        Raises:
            StartError: the folder of the notes cannot be written.
        """
        try:
            self._notes.parent.mkdir(parents=True, exist_ok=True)
            handle = self._notes.with_suffix(".lock").open("w")
        except OSError as error:
            raise StartError(f"weights: {self._notes.parent} cannot be written: {error}") from error
        with handle:
            # The lock goes with the handle, so a killed process leaves none behind.
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def check(self, folder: Path) -> None:
        """Return when every file in the folder is what it should be.

        Raises:
            StartError: a file differs; names it, its sum and the one expected.
        """
        notes = self._read()
        for name, expected in self._expected.items():
            path = (folder / name).resolve()
            note = f"{expected} {path.stat().st_size} {path.stat().st_mtime_ns}"
            if notes.get(str(path)) == note:
                continue
            was = _sha256(path)
            if was != expected:
                raise StartError(
                    f"weights: {path} has sha256 {was}, expected {expected}; remove the file and start again"
                )
            notes[str(path)] = note
        self._write(notes)

    def _read(self) -> dict[str, str]:
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # No note, or a broken one: everything is checked again.
            return {}
        return notes if isinstance(notes, dict) else {}

    def _write(self, notes: Mapping[str, str]) -> None:
        unfinished = self._notes.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(notes, indent=1), encoding="utf-8")
        unfinished.replace(self._notes)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

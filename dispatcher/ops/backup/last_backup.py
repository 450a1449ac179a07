"""Place and age of the last backup, kept in the data folder for `dispatcher check`."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from dispatcher.data_dir import write_private

FILE_NAME: Final = "last-backup.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastBackup:
    """Where the last backup was written; `at_s` is Unix time."""

    path: str
    at_s: float
    size_bytes: int

    @property
    def exists(self) -> bool:
        """Whether the file still lies where it was written, as it was."""
        path = Path(self.path)
        return path.is_file() and path.stat().st_size == self.size_bytes

    def age_s(self) -> float:
        """Return how old it is."""
        return max(0.0, time.time() - self.at_s)

    def in_words(self) -> str:
        """Return where it is and how old."""
        age_h = self.age_s() / 3600
        age = f"{age_h:.0f} h old" if age_h < 48 else f"{age_h / 24:.0f} days old"
        return f"{self.path}, {age}{'' if self.exists else ', not there any more'}"


_LAST_BACKUP: Final = TypeAdapter(LastBackup)


def note_backup(data_dir: Path, file: Path) -> LastBackup:
    """Note a file as the last backup, in place of the one before.

    Raises:
        OSError: the data folder cannot be written to.
    """
    last = LastBackup(path=str(file.absolute()), at_s=round(time.time(), 3), size_bytes=file.stat().st_size)
    write_private(data_dir / FILE_NAME, json.dumps(asdict(last)) + "\n")
    return last


def read_last_backup(data_dir: Path) -> LastBackup | None:
    """Return it; None where no backup was made from this folder."""
    try:
        return _LAST_BACKUP.validate_json((data_dir / FILE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None

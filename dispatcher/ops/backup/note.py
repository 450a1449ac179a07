"""The note that a backup leaves in the data folder, so that a check can say how old the last one is."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

FILE_NAME: Final = "last-backup.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupNote:
    """Where the last backup lies; `at_s` is Unix time."""

    path: str
    at_s: float
    size_bytes: int

    @property
    def is_there(self) -> bool:
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
        return f"{self.path}, {age}{'' if self.is_there else ', not there any more'}"


_NOTE: Final = TypeAdapter(BackupNote)


def leave_note(data_dir: Path, note: BackupNote) -> None:
    """Write the note over the one before."""
    (data_dir / FILE_NAME).write_text(json.dumps(asdict(note)) + "\n", "utf-8")


def read_note(data_dir: Path) -> BackupNote | None:
    """Return the note; None where no backup was made from this folder."""
    try:
        return _NOTE.validate_json((data_dir / FILE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None

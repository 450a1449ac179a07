"""The disk that a folder lies on: how full it is, and whether it can be written to at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Less than this is full: a log line still fits, a page of SQLite or of the broker's file may not.
MIN_FREE_BYTES: Final = 1 << 20
FULL: Final = "the disk is full"
READ_ONLY: Final = "the disk is read-only"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSample:
    """One disk at one moment.

    Attributes:
        used_ratio: of what this account may use, 0..1; 1 where nothing can be written.
        trouble: why nothing can be written, in words; empty where all is well.
    """

    used_ratio: float
    trouble: str = ""


def sample_disk(folder: Path) -> DiskSample | None:
    """Return the state of the disk below a folder, or where the folder would be; None where nobody can tell.

    Nothing is written: a probe every second would wear out the very cards that this is about.
    """
    place = next((each for each in (folder, *folder.absolute().parents) if each.exists()), None)
    try:
        if place is None:
            return None
        state = os.statvfs(place)
    except OSError:
        return None
    if state.f_flag & os.ST_RDONLY or not os.access(place, os.W_OK):
        return DiskSample(used_ratio=1.0, trouble=READ_ONLY)
    free_blocks = state.f_bavail if os.geteuid() else state.f_bfree
    used_blocks = state.f_blocks - state.f_bfree
    is_out_of_files = state.f_files > 0 and state.f_ffree == 0
    if state.f_blocks and (free_blocks * state.f_frsize < MIN_FREE_BYTES or is_out_of_files):
        return DiskSample(used_ratio=1.0, trouble=FULL)
    usable = used_blocks + free_blocks
    return DiskSample(used_ratio=used_blocks / usable if usable else 0.0)

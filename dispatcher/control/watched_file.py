"""Watched YAML file: the catalogue of each save that changes it, with the time of the save."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dispatcher.catalogue.codec import digest
from dispatcher.catalogue.load import load_catalogue
from dispatcher.catalogue.model import Catalogue

# A file that was written this moment may be half written, and half a list of instances is a valid list.
SETTLE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class SavedCatalogue:
    """A catalogue and the Unix time at which its file was saved, by the clock of the file's host."""

    catalogue: Catalogue
    saved_at_s: float


class WatchedFile:
    """A YAML file, and the content of it that was read already."""

    def __init__(self, path: Path, known: Catalogue, clock: Callable[[], float] = time.time) -> None:
        """Begin with the catalogue that the process read from it at its start."""
        self._path = path
        self._clock = clock
        self._known = digest(known)
        self._stat: tuple[int, int] | None = None
        self._content = ""

    def poll(self) -> SavedCatalogue | None:
        """Return the catalogue of a save that changes it; a refused content is refused once.

        Raises:
            ConfigError: the new content cannot be used.
        """
        try:
            stat = self._path.stat()
            content = self._path.read_bytes() if (stat.st_mtime_ns, stat.st_size) != self._stat else None
        except OSError:  # an editor puts another file in its place at this moment
            return None
        if content is None or 0 <= self._clock() - stat.st_mtime < SETTLE_S:
            return None
        self._stat = (stat.st_mtime_ns, stat.st_size)
        hashed = hashlib.sha256(content).hexdigest()
        if hashed == self._content:
            return None
        self._content = hashed
        catalogue = load_catalogue(self._path)
        if (known := digest(catalogue)) == self._known:
            return None
        self._known = known
        return SavedCatalogue(catalogue, saved_at_s(stat))


def saved_at_s(stat: os.stat_result) -> float:
    """Return when a file came to its place: a copy may keep the time of its content, never of its inode."""
    return max(stat.st_mtime, stat.st_ctime)

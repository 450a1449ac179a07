"""A YAML file that is looked at again and again: when what it says is news."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dispatcher.catalogue.codec import digest
from dispatcher.catalogue.load import load_catalogue
from dispatcher.catalogue.model import Catalogue

# A file that was written this moment may be half written, and half a list of instances is a valid list.
REST_S: Final = 0.5


class WatchedFile:
    """A YAML file, and what of it was looked at already."""

    def __init__(self, path: Path, known: Catalogue, clock: Callable[[], float] = time.time) -> None:
        """Remember what the process read from it at its start."""
        self._path = path
        self._clock = clock
        self._known = digest(known)
        self._stat: tuple[int, int] | None = None
        self._content = ""

    def look(self) -> Catalogue | None:
        """Return what the file says where that is news; a refused content is refused once.

        Raises:
            ConfigError: the new content cannot be used.
        """
        try:
            stat = self._path.stat()
            content = self._path.read_bytes() if (stat.st_mtime_ns, stat.st_size) != self._stat else None
        except OSError:  # an editor puts another file in its place at this moment
            return None
        if content is None or 0 <= self._clock() - stat.st_mtime < REST_S:
            return None
        self._stat = (stat.st_mtime_ns, stat.st_size)
        hashed = hashlib.sha256(content).hexdigest()
        if hashed == self._content:
            return None
        self._content = hashed
        return self._news()

    def _news(self) -> Catalogue | None:
        catalogue = load_catalogue(self._path)
        said = digest(catalogue)
        if said == self._known:
            return None
        self._known = said
        return catalogue

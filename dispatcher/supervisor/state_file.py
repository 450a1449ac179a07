"""State file `up.json` of a data folder, for other commands; and the lock that keeps a second `up` away."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

from dispatcher.errors import StartError

FILE_NAME: Final = "up.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningProcess:
    """One process as `up.json` names it; `pid` is None while it is down.

    Attributes:
        role: what it is, as the Procfile's command says.
        host: where it listens; empty where it does not.
    """

    name: str
    pid: int | None
    port: int | None
    role: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningUp:
    """A `dispatcher up` that runs: its process id, the names of its processes, and the YAML it was given.

    Attributes:
        addresses: host and port of the first process of each role that listens.
    """

    pid: int
    names: tuple[str, ...]
    config: Path | None = None
    addresses: Mapping[str, tuple[str, int]] = field(default_factory=dict)


def find_up(data_dir: Path) -> RunningUp | None:
    """Return the `dispatcher up` of a data folder, or None where none runs.

    A file that a killed one left names a process that is gone, or that began after the file did.
    """
    try:
        content = json.loads((data_dir / FILE_NAME).read_text("utf-8"))
        began_at_s = psutil.Process(content["pid"]).create_time()
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    if began_at_s > content["started_at_s"]:
        return None
    config = content.get("config")
    addresses = content.get("addresses") or {}
    return RunningUp(
        pid=content["pid"],
        names=tuple(part["name"] for part in content["processes"]),
        config=Path(config) if config else None,
        addresses={role: (str(host), int(port)) for role, (host, port) in addresses.items()},
    )


class StateFile:
    """The claim on a data folder; the lock ends with the process, however it ends."""

    def __init__(self, data_dir: Path, *, config: Path | None = None) -> None:
        self._config = config
        self._data_dir = data_dir
        self._path = data_dir / FILE_NAME
        self._started_at_s = time.time()
        self._folder = -1

    def __enter__(self) -> Self:
        """Take the data folder.

        Raises:
            StartError: another `dispatcher up` has it, or it cannot be made.
        """
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            self._folder = os.open(self._data_dir, os.O_RDONLY)
        except OSError as error:
            raise StartError(f"DATA_DIR: {self._data_dir}: {error.strerror}") from error
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._folder)
            raise StartError(
                f"`dispatcher up` already runs on {self._data_dir}{self._by_whom()}; "
                "stop it, or set DATA_DIR to run a second one"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the folder back."""
        with suppress(OSError):  # one that stays names a process that is gone, which `find_up` sees
            self._path.unlink(missing_ok=True)
        os.close(self._folder)

    def write(self, parts: Iterable[RunningProcess]) -> None:
        """Write what runs now; readers see the old text or the new one, never half of it.

        Where the disk is full or read-only the old one stays: the next change, or a disk that is well again,
        writes it anew.
        """
        parts = tuple(parts)
        listening = {part.role: (part.host, part.port) for part in reversed(parts) if part.role and part.port}
        content = {
            "pid": os.getpid(),
            "started_at_s": round(self._started_at_s, 3),
            "config": str(self._config.absolute()) if self._config else None,
            "addresses": listening,
            "processes": [{"name": part.name, "pid": part.pid, "port": part.port} for part in parts],
        }
        fresh = self._path.with_name(f"{FILE_NAME}.new")
        try:
            fresh.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
            fresh.replace(self._path)
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)

    def _by_whom(self) -> str:
        try:
            return f" (pid {json.loads(self._path.read_text('utf-8'))['pid']})"
        except (OSError, ValueError, KeyError):
            return ""

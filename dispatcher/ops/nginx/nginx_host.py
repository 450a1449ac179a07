"""Machine that nginx runs on: its name server, and its folder of configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dispatcher.errors import StartError

RESOLV_CONF: Final = Path("/etc/resolv.conf")


def name_server(path: Path) -> str | None:
    """Return the first name server of a resolv.conf, as nginx writes it; None where it names none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    words = [line.split() for line in lines]
    addresses = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
    if not addresses:
        return None
    return f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]


def write_files(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write the files and return their paths.

    Raises:
        StartError: the folder cannot be written.
    """
    paths = []
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            paths.append(path)
    except OSError as error:
        raise StartError(f"{folder}: cannot be written: {error}") from error
    return paths

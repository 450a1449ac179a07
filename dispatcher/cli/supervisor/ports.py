"""Are the ports free? Asked before anything is started, so that a clash is one line and not twelve logs."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

import psutil

from dispatcher.cli.supervisor.parts import Part, Role
from dispatcher.errors import StartError


def require_free_ports(parts: Iterable[Part]) -> None:
    """Do nothing when each part can listen where it wants to.

    Raises:
        StartError: one line per port that is taken: by whom, and what to do.
    """
    problems = [
        f"port {part.address.port} ({part.name}) is taken{_by_whom(part.address.port)}; {_what_to_do(part)}"
        for part in parts
        if part.address is not None and is_taken(part.address.host, part.address.port)
    ]
    if problems:
        raise StartError("\n".join(problems))


def is_taken(host: str, port: int) -> bool:
    """Return whether something listens at an address or, for every address, on loopback."""
    return any(_cannot_bind(address, port) for address in {host or "0.0.0.0", "127.0.0.1"})  # noqa: S104


def _cannot_bind(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Without this a port whose last connections are still closing would count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _by_whom(port: int) -> str:
    """Return " by pid 12 (python)", or nothing when this user may not know."""
    try:
        connections = psutil.net_connections(kind="tcp")
        owner = next(
            found.pid
            for found in connections
            if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid
        )
        return f" by pid {owner} ({psutil.Process(owner).name()})"
    except (StopIteration, psutil.Error):
        return ""


def _what_to_do(part: Part) -> str:
    advice: dict[Role, str] = {
        "front": "set FRONT_PORT or stop it",
        "broker": "set BROKER_PORT or stop it, or set REDIS_URL to use it",
        "instance": f"stop it, or take {part.name} out of the Procfile to use it",
    }
    return advice.get(part.role, "stop it")

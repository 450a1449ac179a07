"""Ports: a check before anything is started, so that a clash is one line and not twelve logs.

And free ports for a stack of one's own: a bench, a test.
"""

from __future__ import annotations

import atexit
import errno
import random
import socket
from collections.abc import Iterable
from typing import Final

import psutil

from dispatcher.errors import StartError
from dispatcher.supervisor.process_spec import ProcessSpec, Role

# Below the ports that systems give to outgoing connections (Linux from 32768, macOS from 49152): between the
# moment a port is found free and the moment a process listens on it, no client's connection can take it.
_OWN_PORTS: Final = range(20_000, 32_000)
# A process takes a whole block of them, so that two that look at the same time look at different ones.
_BLOCK_PORTS: Final = 250
_claims: list[socket.socket] = []
_left: list[int] = []


def require_free_ports(specs: Iterable[ProcessSpec]) -> None:
    """Do nothing when each process can listen where it wants to.

    Raises:
        StartError: one line per port that is taken: by whom, and what to do.
    """
    problems = [
        f"port {spec.address.port} ({spec.name}) is taken{_by_whom(spec.address.port)}; {_what_to_do(spec)}"
        for spec in specs
        if spec.address is not None and is_taken(spec.address.host, spec.address.port)
    ]
    if problems:
        raise StartError("\n".join(problems))


def is_taken(host: str, port: int) -> bool:
    """Return whether something listens at an address or, for every address, on loopback."""
    return any(_cannot_bind(address, port) for address in {host or "0.0.0.0", "127.0.0.1"})  # noqa: S104


def free_ports(count: int) -> list[int]:
    """Return ports on which nothing listens now; no port twice in the life of this process.

    Raises:
        StartError: fewer ports than that are left.
    """
    found: list[int] = []
    while len(found) < count:
        if not _left and not _claim_block():
            raise StartError(
                f"{count} free ports are wanted, "
                f"{len(found)} of {_OWN_PORTS.start}-{_OWN_PORTS.stop - 1} are left"
            )
        port = _left.pop()
        if not is_taken("", port):
            found.append(port)
    return found


def _claim_block() -> bool:
    """Take a block that no process has, until this one ends; return whether there is one.

    The mark is a UDP socket on the block's first port. What listens on the ports themselves speaks TCP.
    """
    for first in random.sample(_OWN_PORTS[::_BLOCK_PORTS], len(_OWN_PORTS[::_BLOCK_PORTS])):
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", first))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        atexit.register(claim.close)
        _left.extend(reversed(range(first, min(first + _BLOCK_PORTS, _OWN_PORTS.stop))))
        return True
    return False


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


def _what_to_do(spec: ProcessSpec) -> str:
    advice: dict[Role, str] = {
        "front": "set FRONT_PORT or stop it",
        "broker": "set BROKER_PORT or stop it, or set REDIS_URL to use it",
        "instance": f"stop it, or take {spec.name} out of the Procfile to use it",
    }
    return advice.get(spec.role, "stop it")

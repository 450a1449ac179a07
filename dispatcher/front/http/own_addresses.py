"""Addresses of this machine that a front binds and devices can use; without aiohttp, for the supervisor."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import Final

import structlog

from dispatcher.messages import OTA_PATH
from dispatcher.settings import Settings

log = structlog.get_logger(__name__)

# Addresses for documentation; connecting a UDP socket sends nothing, it only picks the way out.
_SOMEWHERE: Final = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
_LOOPBACK: Final = "127.0.0.1"
_EVERY_ADDRESS: Final = ("0.0.0.0", "::", "")  # noqa: S104  compared, not bound
# The same interface in the other family; where a system has no IPv6, IPv4 alone is listened on.
_OTHER_FAMILY: Final = {"0.0.0.0": "::", "127.0.0.1": "::1", "::": "0.0.0.0", "::1": "127.0.0.1"}  # noqa: S104


def lan_address() -> str:
    """Return this machine's address on the network that leads outside; loopback without a network."""
    for family, somewhere in _SOMEWHERE.items():
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((somewhere, 9))
            return str(probe.getsockname()[0])
    return _LOOPBACK


def network_address(settings: Settings) -> str:
    """Return the OTA address as `dispatcher up` prints it: that of FRONT_PUBLIC_URL, else of this machine.

    A front that listens on one address is reached there only, be it loopback.
    """
    public = settings.front_public_url.rstrip("/")
    if public:
        return public + OTA_PATH
    host = lan_address() if settings.front_host in _EVERY_ADDRESS else settings.front_host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.front_port}{OTA_PATH}"


def bind_sockets(host: str, port: int) -> list[socket.socket]:
    """Return bound sockets for a host: its own, and the same interface's in the other family.

    Raises:
        OSError: the address is taken, or none of this host's.
    """
    found = socket.getaddrinfo(
        host or "0.0.0.0",  # noqa: S104  an empty host is every address
        port,
        type=socket.SOCK_STREAM,
        flags=socket.AI_PASSIVE,
    )
    bound: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            bound.append(_bind(family, str(address[0]), int(address[1])))
    except OSError:
        for each in bound:
            each.close()
        raise
    if len(bound) == 1:
        bound += bind_other_family(bound[0])
    return bound


def bind_other_family(own: socket.socket) -> list[socket.socket]:
    """Return a socket at the same port of the other family, or none where that cannot be had."""
    host, port, *_ = own.getsockname()
    other = _OTHER_FAMILY.get(str(host))
    if other is None:
        return []
    try:
        return [_bind(socket.AF_INET6 if ":" in other else socket.AF_INET, other, port)]
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            log.warning("another program has the port there; not listening", address=other, port=port)
        return []


def _bind(family: int, host: str, port: int) -> socket.socket:
    fresh = socket.socket(family, socket.SOCK_STREAM)
    try:
        fresh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            fresh.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        fresh.bind((host, port))
    except OSError:
        fresh.close()
        raise
    return fresh

"""A listening socket that outlives the front that uses it: one follows another without a refused connection.

The supervisor binds the port and hands the socket to each front that it starts. A front that is to stop says
so and goes on; the next one is started beside it, and once that one serves, the first may go: it takes no new
device and lets what was begun end (docs/adr/0021-a-restart-costs-no-turn.md).
"""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from typing import Self

from dispatcher.front.http.own_addresses import bind_other_family
from dispatcher.supervisor.process_spec import ListenAddress, ProcessSpec


class ListeningSocket:
    """The port of a front, held while one process of it follows another.

    A client that connects while none accepts, after a crash say, waits for the next one.

    Attributes:
        companions: bound at the same port of the other family, IPv6 beside IPv4, where that can be had.
    """

    def __init__(self, address: ListenAddress) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self.companions: list[socket.socket] = []

    @classmethod
    def of(cls, spec: ProcessSpec) -> Self | None:
        """Return the one of a front that can be handed a socket, else None."""
        if spec.role != "front" or spec.in_shell or spec.address is None or not _is_ip(spec.address.host):
            return None
        return cls(spec.address)

    def bind(self) -> socket.socket:
        """Return the socket, bound; it listens from the first front on.

        Raises:
            OSError: another program has the port.
        """
        if self._socket is None:
            family = socket.AF_INET6 if ":" in self._address.host else socket.AF_INET
            fresh = socket.socket(family, socket.SOCK_STREAM)
            fresh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                fresh.bind(self._address)
            except OSError:
                fresh.close()
                raise
            self._socket = fresh
            self.companions = bind_other_family(fresh)
        return self._socket

    def close(self) -> None:
        """Free the port: waiting clients are refused, and may look elsewhere."""
        for each in (self._socket, *self.companions):
            if each is not None:
                each.close()
        self._socket, self.companions = None, []


def _is_ip(host: str) -> bool:
    """Return whether a host is one address; a name may be several, and an empty one is two."""
    with suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False

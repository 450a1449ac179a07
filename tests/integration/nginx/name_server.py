"""A name server that knows a few names, for the resolver of nginx."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress


class NameServer:
    """Answers A queries over UDP, each from a table.

    Attributes:
        asked: how many queries came.
    """

    def __init__(self, addresses: Mapping[str, str]) -> None:
        """Begin to answer."""
        self.asked = 0
        self._addresses = addresses
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._answer_all, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it answers."""
        return self._port

    @property
    def _port(self) -> int:
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Answer nobody any more; the port stays taken, so that nobody else answers there."""
        self._closed.set()

    def _answer_all(self) -> None:
        with suppress(OSError):
            while True:
                query, sender = self._socket.recvfrom(512)
                if self._closed.is_set():
                    return
                self.asked += 1
                self._socket.sendto(self._answer(query), sender)

    def _answer(self, query: bytes) -> bytes:
        """Return the answer: the question again, and one address for it (RFC 1035, section 4)."""
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode())
            at += 1 + length
        question = query[12 : at + 5]
        address = self._addresses.get(".".join(labels))
        flags = 0x8180 if address else 0x8183
        head = query[:2] + struct.pack(">HHHHH", flags, 1, 1 if address else 0, 0, 0)
        if address is None:
            return head + question
        return head + question + struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(address)

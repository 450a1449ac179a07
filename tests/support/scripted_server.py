"""An HTTP server that does what a test tells it, byte by byte: somebody else's server, with its faults."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from tests.support.waiting import WAIT_TIMEOUT_S

_LENGTH: Final = re.compile(r"(?i)\r\ncontent-length: *(\d+)\r\n")


@dataclass(slots=True)
class Exchange:
    """One request, and the connection to answer on."""

    head: str
    connection: socket.socket
    received: bytes = b""
    closed: bool = False

    def header(self, name: str) -> str | None:
        """Return a header of the request."""
        found = re.search(rf"(?i)\r\n{name}: *([^\r]*)\r\n", self.head)
        return found[1] if found else None

    def read(self, count: int) -> bytes:
        """Return the body as soon as so many bytes of it are here."""
        held = bytearray(self.received)
        while len(held) < count and (part := self.connection.recv(65536)):
            held += part
        self.received = bytes(held)
        return self.received

    def body(self) -> bytes:
        """Return the whole body of a request that says how long it is."""
        length = _LENGTH.search(self.head)
        return self.read(int(length[1])) if length else b""

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.connection.sendall(data)

    def answer(self, status: int = 200, body: bytes = b"ok\n", headers: str = "") -> None:
        """Read the request to its end and answer it."""
        self.body()
        self.send(f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    def hang_up(self) -> None:
        """Close the connection without another word."""
        self.closed = True


Script: TypeAlias = Callable[[Exchange], None]


@dataclass(slots=True)
class ScriptedServer:
    """Listens on a port of its own until it is closed.

    Attributes:
        requests: what was asked, in order.
        per_connection: how many requests came on each connection.
    """

    script: Script
    tls: ssl.SSLContext | None = None
    requests: list[Exchange] = field(default_factory=list)
    per_connection: list[int] = field(default_factory=list)
    _open: list[socket.socket] = field(default_factory=list)
    _listener: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        """Begin to listen."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    @property
    def address(self) -> str:
        """Where it listens, as an upstream names it."""
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening and cut every connection."""
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            connection.settimeout(WAIT_TIMEOUT_S)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection:
                self._answer_all(connection)

    def _answer_all(self, connection: socket.socket) -> None:
        number = len(self.per_connection)
        self.per_connection.append(0)
        rest = b""
        while True:
            while b"\r\n\r\n" not in rest:
                part = connection.recv(65536)
                if not part:
                    return
                rest += part
            head, _, rest = rest.partition(b"\r\n\r\n")
            exchange = Exchange(f"{head.decode()}\r\n\r\n", connection, rest)
            self.requests.append(exchange)
            self.per_connection[number] += 1
            self.script(exchange)
            if exchange.closed:
                return
            rest = b""

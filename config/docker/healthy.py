"""The health check of containers: `healthy.py url URL`, `healthy.py queue NAME`, or `healthy.py beat`.

A worker is well when its queue is consumed, beat when what its ticks compute is fresh: both are signs in
Redis that end by themselves, so that a process that only hangs is found too. It runs every few seconds in a
dozen containers, so it imports nothing but sockets: with the Redis client and our settings it took a second
of CPU.
"""

from __future__ import annotations

import os
import socket
import sys
from urllib.parse import urlsplit

TIMEOUT_S = 5
# The signs of dispatcher/state/keys.py; a test compares them.
SERVED = "served:"
KPIS = "kpis"


def answers(url: str) -> bool:
    """Return whether an address of this container answers 200."""
    address = urlsplit(url)
    target = f"{address.path}?{address.query}" if address.query else address.path
    request = f"GET {target} HTTP/1.0\r\nHost: {address.netloc}\r\n\r\n"
    return _ask(address.hostname, address.port or 80, request).split(" ")[1:2] == ["200"]


def exists(key: str, redis_url: str) -> bool:
    """Return whether a Redis without password and TLS holds a key."""
    address = urlsplit(redis_url)
    request = f"EXISTS {key}\r\n"
    return _ask(address.hostname, address.port or 6379, request).startswith(":1")


def _ask(host: str | None, port: int, request: str) -> str:
    with socket.create_connection((host or "localhost", port), timeout=TIMEOUT_S) as connection:
        connection.sendall(request.encode())
        return connection.recv(1024).decode("latin-1")


def is_healthy(kind: str, name: str = "") -> bool:
    """Return whether the container is well."""
    if kind == "url":
        return answers(name)
    return exists(f"{SERVED}{name}" if kind == "queue" else KPIS, os.environ["REDIS_URL"])


if __name__ == "__main__":
    sys.exit(0 if is_healthy(*sys.argv[1:]) else 1)

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
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

TIMEOUT_S = 5
# The signs of dispatcher/redis_client/keys.py; a test compares them.
SERVED = "served:"
KPIS = "kpis"


def answers(url: str) -> bool:
    """Return whether an address of this container answers 200."""
    address = urlsplit(url)
    target = f"{address.path}?{address.query}" if address.query else address.path
    request = f"GET {target} HTTP/1.0\r\nHost: {address.netloc}\r\n\r\n"
    return _ask(address.hostname, address.port or 80, request).split(" ")[1:2] == ["200"]


def exists(key: str, redis_url: str) -> bool:
    """Return whether a Redis without TLS holds a key."""
    address = urlsplit(redis_url)
    user = [unquote(address.username)] if address.username else []
    first = _command("AUTH", *user, unquote(address.password)) if address.password else ""
    answers = _ask(address.hostname, address.port or 6379, first + _command("EXISTS", key), 2 if first else 1)
    return answers.splitlines()[-1:] == [":1"]


def broker_url(environ: Mapping[str, str]) -> str:
    """Return the URL of the broker, from the variable or the file that it names."""
    if path := environ.get("REDIS_URL_FILE"):
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  pathlib would take longer to load
            return file.read().strip()
    return environ["REDIS_URL"]


def _command(*words: str) -> str:
    """Return a command of Redis; each word says how long it is, whatever is in it."""
    return f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)


def _ask(host: str | None, port: int, request: str, lines: int = 1) -> str:
    """Return what is answered, at least so many lines of it."""
    with socket.create_connection((host or "localhost", port), timeout=TIMEOUT_S) as connection:
        connection.sendall(request.encode())
        answer = b""
        while answer.count(b"\r\n") < lines and (more := connection.recv(1024)):
            answer += more
        return answer.decode("latin-1")


def is_healthy(kind: str, name: str = "") -> bool:
    """Return whether the container is well."""
    if kind == "url":
        return answers(name)
    return exists(f"{SERVED}{name}" if kind == "queue" else KPIS, broker_url(os.environ))


if __name__ == "__main__":
    sys.exit(0 if is_healthy(*sys.argv[1:]) else 1)

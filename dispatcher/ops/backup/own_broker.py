"""The embedded broker, run for the length of a command where the deployment is stopped."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click
from redis import Redis
from redis.exceptions import RedisError

from dispatcher.data_dir import embedded_redis_url, make_private
from dispatcher.errors import StartError
from dispatcher.settings import Settings
from dispatcher.supervisor.broker_server import broker_command
from dispatcher.supervisor.resolve_settings import resolve_settings
from dispatcher.supervisor.state_file import find_up

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 30.0
BROKER_POLL_INTERVAL_S: Final = 0.05
CONNECT_TIMEOUT_S: Final = 2.0


@contextmanager
def with_broker(settings: Settings) -> Iterator[bool]:
    """Have a Redis for the length of the block; yield whether it is one that was started for it.

    `dispatcher up` brings its own broker and takes it away again: what is kept in its files can be reached
    while the deployment is stopped, too.

    Raises:
        StartError: the embedded broker cannot be started.
    """
    is_embedded = settings.redis_url == embedded_redis_url(settings.broker_port, settings.data_dir)
    if not is_embedded or find_up(settings.data_dir) is not None or _is_taken(settings):
        yield False
        return
    make_private()
    settings = resolve_settings()
    words, secrets = broker_command(settings)
    process = subprocess.Popen(  # noqa: S603  the server that `dispatcher broker` becomes
        words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _tell(process, secrets)
        _wait_until_ready(process, settings)
        click.echo("broker   started for this command, because nothing runs here")
        yield True
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _tell(process: subprocess.Popen[bytes], secrets: str) -> None:
    if process.stdin is not None:
        process.stdin.write(secrets.encode())
        process.stdin.close()


def _wait_until_ready(process: subprocess.Popen[bytes], settings: Settings) -> None:
    give_up_at_s = time.monotonic() + START_TIMEOUT_S
    while not _is_ready(settings):
        if process.poll() is not None or time.monotonic() > give_up_at_s:
            raise StartError(
                "the embedded broker does not start; `dispatcher broker` says why "
                f"(DATA_DIR {settings.data_dir}, BROKER_PORT {settings.broker_port})"
            )
        time.sleep(BROKER_POLL_INTERVAL_S)


def _is_ready(settings: Settings) -> bool:
    try:
        with Redis.from_url(settings.redis_url, socket_timeout=CONNECT_TIMEOUT_S) as client:
            return bool(client.ping())
    except (RedisError, OSError):
        return False


def _is_taken(settings: Settings) -> bool:
    """Return whether something listens at the port of the broker, whatever it is."""
    try:
        with socket.create_connection(("127.0.0.1", settings.broker_port), timeout=CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False

"""The embedded broker, run for the length of a command where the deployment is stopped."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from dispatcher.data_dir import embedded_redis_url
from dispatcher.errors import StartError
from dispatcher.settings import Settings
from dispatcher.supervisor.ports import is_taken
from dispatcher.supervisor.state_file import find_up

BROKER_START_TIMEOUT_S: Final = 30.0
BROKER_STOP_TIMEOUT_S: Final = 30.0
BROKER_POLL_INTERVAL_S: Final = 0.05
BROKER_CONNECT_TIMEOUT_S: Final = 2.0


@contextmanager
def temporary_broker(settings: Settings, report: Callable[[str], None]) -> Iterator[bool]:
    """Have a Redis for the length of the block; yield whether it is one that was started for it.

    `dispatcher up` brings its own broker and takes it away again: what is kept in its files can be reached
    while the deployment is stopped, too. It may make the password, so the block resolves its settings anew.
    A broker that was started is reported in a line.

    Raises:
        StartError: the embedded broker cannot be started.
    """
    is_embedded = settings.redis_url == embedded_redis_url(settings.broker_port, settings.data_dir)
    if (
        not is_embedded
        or find_up(settings.data_dir) is not None
        or is_taken("127.0.0.1", settings.broker_port)
    ):
        yield False
        return
    process = subprocess.Popen(  # noqa: S603  a command of ours
        [str(Path(sys.executable).with_name("dispatcher")), "broker"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_ready(process, settings)
        report("broker   started for this command, because nothing runs here")
        yield True
    finally:
        _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], settings: Settings) -> None:
    deadline_s = time.monotonic() + BROKER_START_TIMEOUT_S
    while not _is_ready(settings):
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise StartError(
                "the embedded broker does not start; `dispatcher broker` says why "
                f"(DATA_DIR {settings.data_dir}, BROKER_PORT {settings.broker_port})"
            )
        time.sleep(BROKER_POLL_INTERVAL_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(BROKER_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _is_ready(settings: Settings) -> bool:
    url = embedded_redis_url(settings.broker_port, settings.data_dir)
    try:
        with Redis.from_url(url, socket_timeout=BROKER_CONNECT_TIMEOUT_S) as client:
            return bool(client.ping())
    except (RedisError, OSError):
        return False

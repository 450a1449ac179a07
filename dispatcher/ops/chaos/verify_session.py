"""Session of `dispatcher verify`: its signals, its logging and its Redis."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

from dispatcher.errors import StateError
from dispatcher.logs import configure_logging
from dispatcher.ops.chaos.docker_environment import DockerEnvironment
from dispatcher.ops.chaos.environment import Environment
from dispatcher.ops.chaos.supervised_environment import SupervisedEnvironment
from dispatcher.ops.interruptible import run_interruptible
from dispatcher.ops.redis_session import explain
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.settings import load_settings
from dispatcher.supervisor.resolve_settings import resolve_settings

Result = TypeVar("Result")
Test: TypeAlias = Callable[[RedisClient, Environment, Callable[[str], None]], Coroutine[Any, Any, Result]]


def run_verify(test: Test[Result], echo: Callable[[str], None], project: str | None) -> Result:
    """Run a chaos test or a soak to its end; each line that is echoed begins with the time since the start.

    Args:
        test: given the Redis, the stack's environment and a printer of lines.
        echo: prints a line.
        project: a Compose project, or the only one where it is empty; None means `dispatcher up`.

    Raises:
        StartError: no stack here allows faults.
        StateError: Redis is out of reach.
        KeyboardInterrupt: SIGINT or SIGTERM came; every fault is undone.
    """
    configure_logging(load_settings({"LOG_LEVEL": "error"}))  # what breaks on purpose needs no warnings
    began_s = time.monotonic()

    def report(text: str) -> None:
        passed_s = int(time.monotonic() - began_s)
        echo(f"{passed_s // 60}:{passed_s % 60:02d}  {text}")

    # Also where a shell that put this into the background had SIGINT ignored: a stop has to undo the fault.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return run_interruptible(_run(test, report, None if project is None else DockerEnvironment(project)))


async def _run(
    test: Test[Result], report: Callable[[str], None], containers: DockerEnvironment | None
) -> Result:
    redis_url = await containers.redis_url() if containers else resolve_settings().redis_url
    redis = RedisClient(connect(redis_url))
    try:
        return await test(redis, containers or SupervisedEnvironment(redis), report)
    except StateError as error:
        raise StateError(explain(error, redis_url)) from error
    finally:
        await redis.close()

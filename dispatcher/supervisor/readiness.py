"""Readiness of a process, by PING, HTTP, or the sign of life of a worker in Redis."""

from __future__ import annotations

import asyncio
from typing import Final

from redis.exceptions import AuthenticationError, RedisError, ResponseError

from dispatcher.backoff import BackOff
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import connect
from dispatcher.supervisor.process_spec import ListenAddress, ProcessSpec

FIRST_POLL_S: Final = 0.05
LONGEST_POLL_S: Final = 0.5
PROBE_TIMEOUT_S: Final = 2.0
# Processes that cannot be asked count as ready once they have lived this long.
ALIVE_S: Final = 1.0
_PATHS: Final = {
    "front": "/readyz?only=front",
    "flower": "/healthcheck",
    "console": "/healthz",
    "instance": "/health",
}
_HTTP_OK: Final = 200


class Readiness:
    """Asks processes whether they are ready; holds one connection to Redis for it.

    Attributes:
        is_refused: a Redis is there and wants another password.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis = connect(redis_url, socket_timeout_s=PROBE_TIMEOUT_S)
        self.is_refused = False

    async def wait(self, spec: ProcessSpec, pid: int) -> None:
        """Return when the process is ready; it is asked less and less often, at last twice a second."""
        if not _can_be_asked(spec):
            await asyncio.sleep(ALIVE_S)
            return
        pauses = BackOff(first_s=FIRST_POLL_S, longest_s=LONGEST_POLL_S, growth=1.5, jitter=0)
        while not await self._answers(spec, pid):  # noqa: ASYNC110  another process is polled
            await asyncio.sleep(pauses.next_s())

    async def redis_answers(self) -> bool:
        """Return whether Redis answers a PING."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                return bool(await self._redis.ping())
        except AuthenticationError:
            self.is_refused = True
            return False
        except ResponseError as error:
            self.is_refused = "authenticated" in str(error) or "NOAUTH" in str(error)
            return False
        except (OSError, RedisError, TimeoutError):
            return False

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()

    async def _answers(self, spec: ProcessSpec, pid: int) -> bool:
        """Return whether the process answers as a ready one of its role does."""
        if spec.role == "broker":
            return await self.redis_answers()
        if spec.role == "worker":
            return await self._consumes(spec, pid)
        return spec.address is not None and await answers_ok(spec.address.reachable, _PATHS[spec.role])

    async def _consumes(self, spec: ProcessSpec, pid: int) -> bool:
        """Return whether the worker process consumes all of its queues."""
        signs = [keys.worker_ready(queue, pid) for queue in spec.queues]
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                return int(await self._redis.exists(*signs)) == len(signs)
        except (OSError, RedisError, TimeoutError):
            return False


def _can_be_asked(spec: ProcessSpec) -> bool:
    match spec.role:
        case "broker" | "front" | "flower" | "console":
            return True
        case "instance":
            return spec.address is not None
        case "worker":
            return bool(spec.queues)
        case "beat" | "other":
            return False


async def answers_ok(address: ListenAddress, path: str) -> bool:
    """Return whether a GET is answered with status 200.

    Written by hand, because an HTTP client would double what the supervisor needs to start.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            try:
                writer.write(request.encode())
                status_line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    words = status_line.split()
    return len(words) > 1 and words[1] == str(_HTTP_OK).encode()

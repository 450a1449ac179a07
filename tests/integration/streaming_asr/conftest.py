"""The whole system with streaming ASR: another catalogue is active while these tests run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from redis import Redis

from dispatcher.catalogue.model import Instance
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from tests.support.services.funasr_process import FunAsrProcess
from tests.support.stack import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingAsr:
    """The system, two FunASR servers, and one of the timed instances that want whole utterances.

    Attributes:
        activate: puts these ASR instances in force.
    """

    stack: Stack
    funasr: tuple[FunAsrProcess, FunAsrProcess]
    activate: Callable[..., Awaitable[None]]
    heard_before: tuple[int, int]

    def heard(self, number: int) -> list[dict[str, Any]]:
        """Return what came on each connection to a FunASR server in this test."""
        server = self.funasr[number - 1]
        told = server.heard()
        # One that was started again counts from nothing.
        return told[self.heard_before[number - 1] :] if len(told) >= self.heard_before[number - 1] else told

    def picks(self) -> list[str]:
        """Return which ASR instances were picked in this test, oldest first."""
        with Redis.from_url(self.stack.broker.url) as client:
            decisions = client.xrange(keys.DECISIONS)
        assert isinstance(decisions, list)
        picked = [
            fields for _, fields in decisions if fields.get(b"service") == b"asr" and b"reason" in fields
        ]
        return [fields[b"instance"].decode() for fields in picked]

    def live(self, number: int, **fields: object) -> Instance:
        """Return a FunASR server as an instance, `live-1` or `live-2`."""
        endpoint = f"ws://127.0.0.1:{self.funasr[number - 1].port}"
        return _instance(f"live-{number}", endpoint, provider="funasr", **fields)

    def whole(self, **fields: object) -> Instance:
        """Return the timed instance, `whole-1`."""
        return _instance("whole-1", f"http://127.0.0.1:{self.stack.instances.ports('asr')[0]}/v1", **fields)


def _instance(name: str, endpoint: str, **fields: object) -> Instance:
    made = Instance(service="asr", name=name, endpoint=endpoint, max_concurrent=4)
    return replace(made, **fields)  # type: ignore[arg-type]


@pytest.fixture(scope="package")
def running_funasr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FunAsrProcess, FunAsrProcess]]:
    """Two FunASR servers for all tests of this folder; they take `servers`."""
    folder = tmp_path_factory.mktemp("streaming-asr")
    servers = FunAsrProcess("live-1", folder), FunAsrProcess("live-2", folder)
    for server in servers:
        server.start()
    for server in servers:
        server.wait_until_ready()
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
async def servers(
    stack: Stack, running_funasr: tuple[FunAsrProcess, FunAsrProcess]
) -> AsyncGenerator[StreamingAsr]:
    """The system, whose ASR instances a test chooses; afterwards its own file is active again."""
    for server in running_funasr:
        server.revive()
    own = stack.own_catalogue
    redis = RedisClient(connect(stack.broker.url))

    async def activate(*instances: Instance) -> None:
        asr = replace(own.services["asr"], algorithm="weighted_round_robin", instances=instances)
        await stack.activate(replace(own, services={**own.services, "asr": asr}))

    first, second = (len(server.heard()) for server in running_funasr)
    await redis.execute("DEL", keys.DECISIONS)
    yield StreamingAsr(stack=stack, funasr=running_funasr, activate=activate, heard_before=(first, second))
    await stack.activate(own)
    await redis.close()

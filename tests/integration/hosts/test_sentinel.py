"""Three sentinels watch a Redis and its replica: the master dies while devices talk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.integration.hosts.networked_system import NetworkedSystem, hears_the_end, is_answered_soon
from tests.support.instances import SENTENCES, Instances
from tests.support.processes import stop_all
from tests.support.redis_server import MASTER_NAME, PASSWORD_IN_URL, RedisServer, Sentinel
from tests.support.waiting import eventually

SENTINELS = 3
QUORUM = 2
# A second until they miss it, the vote, the way of the news to every process, and the stages sent again.
RECOVERY_S = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A master, its replica and who watches them."""

    master: RedisServer
    replica: RedisServer
    sentinels: tuple[Sentinel, ...]

    @property
    def url(self) -> str:
        """What an operator writes into REDIS_URL."""
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        return f"sentinel://:{PASSWORD_IN_URL}@{hosts}/0?master_name={MASTER_NAME}"

    def start(self) -> None:
        """Start them all and wait until a fail-over can be made."""
        self.master.start()
        self.replica.start()
        for sentinel in self.sentinels:
            sentinel.start()
        eventually(self._all_see_all, what="the sentinels know each other and the replica")

    def stop(self) -> None:
        """End them all."""
        stop_all(self.sentinels)
        self.replica.kill()
        self.master.kill()

    def _all_see_all(self) -> bool:
        return all(self._sees_all(each.port) for each in self.sentinels)

    def _sees_all(self, port: int) -> bool:
        try:
            with Redis(port=port) as client:
                state = client.sentinel_master(MASTER_NAME)
        except RedisError:
            return False
        return bool(state["num-slaves"] == 1 and state["num-other-sentinels"] == SENTINELS - 1)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A master with a replica, ready for a fail-over."""
    master = RedisServer(tmp_path, "master")
    replica = RedisServer(tmp_path, "replica", replicaof=f"127.0.0.1 {master.port}")
    sentinels = tuple(
        Sentinel(tmp_path, number, master=master, quorum=QUORUM) for number in range(1, SENTINELS + 1)
    )
    watched = Watched(master=master, replica=replica, sentinels=sentinels)
    try:
        watched.start()
        yield watched
    finally:
        watched.stop()


async def test_turns_go_on_without_a_restart_after_the_master_was_killed(
    watched: Watched, tmp_path: Path, instances: Instances
) -> None:
    system = NetworkedSystem(tmp_path, instances, url=watched.master.url, environ={"REDIS_URL": watched.url})
    try:
        system.start()
        async with system.front.device("steadfast") as device:
            assert (await device.says()).sentences == SENTENCES
            watched.master.kill()
            assert await hears_the_end(device), "an answer or an apology, never silence"
            await is_answered_soon(device, within_s=RECOVERY_S)
            assert (await device.says()).sentences == SENTENCES
        assert all(process.runs for process in system.processes)
        seen = system.command("status", "--json")
        assert seen.returncode == 0, seen.stderr
    finally:
        system.stop()

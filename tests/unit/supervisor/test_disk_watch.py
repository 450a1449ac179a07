"""A disk that cannot be written to is reported once, and the broker goes on without its file meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.host_metrics.disk import DiskSample
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text
from dispatcher.supervisor import disk_watch
from dispatcher.supervisor.disk_watch import DiskWatch


class Disk:
    """A disk whose trouble a test sets; None is a folder that is gone."""

    def __init__(self) -> None:
        self.trouble: str | None = ""

    def sample(self, _: Path) -> DiskSample | None:
        if self.trouble is None:
            return None
        return DiskSample(used_ratio=0.5, trouble=self.trouble)


class Broker:
    """What a watch asks and tells a broker."""

    def __init__(self, folder: str = "/data/broker/appendonlydir") -> None:
        self.folder = folder
        self.appendonly = "yes"
        self.has_failed = False

    async def execute(self, *command: str) -> object:
        match command:
            case "CONFIG", "GET", "dir":
                return {b"dir": self.folder.encode()}
            case "CONFIG", "SET", "appendonly", value:
                self.appendonly = value
                return b"OK"
            case "INFO", "persistence":
                status = "err" if self.has_failed else "ok"
                return {"aof_last_write_status": status, "aof_enabled": int(self.appendonly == "yes")}
        raise AssertionError(command)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(disk_watch, "sample_disk", made.sample)
    return made


class Watched:
    """A watch, and what it said and did."""

    def __init__(self, broker: Broker | None) -> None:
        self.said: list[tuple[str, str]] = []
        self.healed = 0
        self.watch = DiskWatch(
            Path("/data"),
            broker,  # type: ignore[arg-type]
            say=lambda text, level: self.said.append((level, text)),
            on_healed=self._heal,
        )

    def _heal(self) -> None:
        self.healed += 1

    async def poll(self) -> list[str]:
        """Poll once; return the levels of what was said by that."""
        before = len(self.said)
        await self.watch._poll()
        return [level for level, _ in self.said[before:]]


@pytest.mark.parametrize("trouble", ["it is full", None])
async def test_trouble_is_reported_once_and_its_end_writes_anew(disk: Disk, trouble: str | None) -> None:
    watched = Watched(None)
    assert await watched.poll() == []
    disk.trouble = trouble
    assert await watched.poll() == ["error"]
    assert await watched.poll() == []
    disk.trouble = ""
    assert await watched.poll() == ["info"]
    assert watched.healed == 1


async def test_the_broker_goes_without_its_file_while_there_is_no_space(disk: Disk) -> None:
    broker = Broker()
    watched = Watched(broker)
    disk.trouble = "it is full"
    assert await watched.poll() == ["error", "warning"]
    assert broker.appendonly == "no"
    disk.trouble = ""
    assert await watched.poll() == ["info", "info"]
    assert broker.appendonly == "yes"


async def test_a_file_that_fails_on_a_disk_that_seems_fine_is_tried_again_after_a_pause(disk: Disk) -> None:
    broker = Broker()
    broker.has_failed = True
    watched = Watched(broker)
    assert await watched.poll() == ["warning"]
    broker.has_failed = False
    assert await watched.poll() == []
    watched.watch._retry_at_s = 0.0
    assert await watched.poll() == ["info"]
    assert not disk.trouble


async def test_a_broker_that_began_elsewhere_writes_over_nothing(disk: Disk) -> None:
    broker = Broker(folder="/tmp/elsewhere")
    disk.trouble = "it is full"
    assert await Watched(broker).poll() == ["error"]
    assert broker.appendonly == "yes"


async def test_a_real_broker_answers_in_the_form_that_is_read(redis: RedisClient) -> None:
    assert as_text(await redis.execute("CONFIG", "GET", "dir"))["dir"]
    known = await redis.execute("INFO", "persistence")
    assert known["aof_last_write_status"] == "ok"
    assert known["aof_enabled"] in (0, 1)

"""Restoring: what is checked before anything is changed, and what is put where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dispatcher.errors import BackupError
from dispatcher.ops.backup import redis_rows
from dispatcher.ops.backup.archive import OpenArchive, open_archive, writing
from dispatcher.ops.backup.restore_backup import restore_backup, unpacked
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.settings import Settings
from dispatcher.telemetry import front_presence
from dispatcher.telemetry.front_presence import FrontCounts

ROW = {"key": keys.OVERRIDES, "kind": "hash", "ttl_ms": 0, "words": ["max_devices", "30"]}
FOREIGN = {"key": "asr", "kind": "list", "ttl_ms": 0, "words": ["a task"]}


@contextmanager
def backup(folder: Path, *rows: object, records_version: str = "") -> Iterator[OpenArchive]:
    """Yield an archive with these rows of Redis and a key of tokens."""
    path = folder / "backup.tar.gz"
    (folder / "spool").mkdir()
    with writing(path, folder / "spool") as writer:
        writer.records_version = records_version
        writer.add_rows(redis_rows.MEMBER, iter(rows))
        writer.add_bytes("files/auth.key", b"k" * 64)
    (folder / "unpacked").mkdir()
    yield open_archive(path, folder / "unpacked")


def settings_of(folder: Path) -> Settings:
    return Settings(
        data_dir=folder / "var",
        dispatcher_config=folder / "mine.yaml",
        database_url=f"sqlite:///{folder / 'records.sqlite3'}",
    )


async def restore(
    redis: RedisClient, folder: Path, archive: OpenArchive, *parts: str, force: bool = False
) -> str:
    said: list[str] = []
    (folder / "var").mkdir(exist_ok=True)
    await restore_backup(redis, settings_of(folder), archive, parts, force=force, report=said.append)
    return "\n".join(said)


async def test_files_come_before_the_state_that_agrees_on_their_key(
    redis: RedisClient, tmp_path: Path
) -> None:
    with backup(tmp_path, ROW) as archive:
        said = await restore(redis, tmp_path, archive)
    assert await redis.execute("HGET", keys.OVERRIDES, "max_devices") == b"30"
    assert await redis.execute("GET", keys.FRONT_TOKEN_KEY) == b"k" * 64
    assert said.index("files") < said.index("records  none in the backup") < said.index("state    1 keys")


async def test_one_part_alone_leaves_the_others(redis: RedisClient, tmp_path: Path) -> None:
    with backup(tmp_path, ROW) as archive:
        await restore(redis, tmp_path, archive, "files")
    assert (tmp_path / "var" / "auth.key").read_bytes() == b"k" * 64
    assert await redis.execute("EXISTS", keys.OVERRIDES) == 0


async def test_a_deployment_that_runs_is_left_alone_unless_it_is_forced(
    redis: RedisClient, tmp_path: Path
) -> None:
    front_presence.publish(redis, "front-1", FrontCounts(devices=0, busy=0, in_turn=0, turns_begun=0))
    await redis.execute("SET", keys.served("llm"), 1)
    with backup(tmp_path, ROW) as archive:
        with pytest.raises(BackupError, match=r"the deployment runs \(front-1, worker of llm\)"):
            await restore(redis, tmp_path, archive)
        assert not (tmp_path / "var" / "auth.key").exists()
        await restore(redis, tmp_path, archive, force=True)
    assert await redis.execute("EXISTS", keys.OVERRIDES) == 1


async def test_a_key_that_no_backup_has_changes_nothing(redis: RedisClient, tmp_path: Path) -> None:
    with (
        backup(tmp_path, ROW, FOREIGN) as archive,
        pytest.raises(BackupError, match="holds keys that no backup of ours has; nothing was changed"),
    ):
        await restore(redis, tmp_path, archive)
    assert await redis.execute("DBSIZE") == 0


async def test_records_of_a_later_version_change_nothing(redis: RedisClient, tmp_path: Path) -> None:
    with (
        backup(tmp_path, ROW, records_version="zzzz") as archive,
        pytest.raises(BackupError, match="the records are of version zzzz, this code knows"),
    ):
        await restore(redis, tmp_path, archive)
    assert await redis.execute("DBSIZE") == 0


def test_a_file_that_is_missing_is_told_in_a_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(BackupError, match="expected a backup that is there"),
        unpacked(tmp_path / "no.tar.gz"),
    ):
        pass

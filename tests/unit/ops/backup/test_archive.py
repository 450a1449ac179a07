"""The file of a backup: it comes back as it went in, and nothing else is taken for one."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dispatcher.cli.restore import is_file
from dispatcher.errors import BackupError
from dispatcher.ops.backup.archive import MANIFEST, OpenArchive, open_archive, writing

ROWS = [{"n": number, "text": "\udc80 käse"} for number in range(3)]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "backup.tar.gz"
    (tmp_path / "spool").mkdir()
    with writing(path, tmp_path / "spool") as writer:
        assert writer.add_rows("state/keys.jsonl", iter(ROWS)) == 3
        writer.add_bytes("files/auth.key", b"secret")
    return path


def opened(path: Path, folder: Path) -> OpenArchive:
    folder.mkdir(exist_ok=True)
    return open_archive(path, folder)


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Return an archive with the same members, but for what is changed."""
    with tarfile.open(path) as tar:
        members = {info.name: (tar.extractfile(info) or io.BytesIO()).read() for info in tar}
    change(members)
    other = path.with_name("other.tar.gz")
    with tarfile.open(other, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return other


def with_manifest(**changed: object) -> Callable[[dict[str, bytes]], None]:
    """Return a change of fields of the manifest."""

    def change(members: dict[str, bytes]) -> None:
        members[MANIFEST] = json.dumps({**json.loads(members[MANIFEST]), **changed}).encode()

    return change


def without(name: str) -> Callable[[dict[str, bytes]], None]:
    """Return a change that takes a member out."""

    def change(members: dict[str, bytes]) -> None:
        del members[name]

    return change


def test_rows_and_files_come_back_as_they_went_in(archive: Path, tmp_path: Path) -> None:
    found = opened(archive, tmp_path / "out")
    assert list(found.rows("state/keys.jsonl")) == ROWS
    assert found.content("files/auth.key") == b"secret"
    assert found.manifest.rows("state/keys.jsonl") == 3
    assert list(found.rows("records/turns.jsonl")) == []


def test_only_its_owner_can_read_it_and_nothing_is_left_beside_it(archive: Path) -> None:
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert not list(archive.parent.glob("*.partial"))


def test_a_failure_in_the_middle_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "backup.tar.gz"

    def fill_the_disk() -> None:
        with writing(path, tmp_path) as writer:
            writer.add_bytes("one", b"1")
            raise OSError(28, "No space left on device")

    with pytest.raises(BackupError, match="No space left"):
        fill_the_disk()
    assert list(tmp_path.glob("backup*")) == []


def test_one_changed_byte_is_found_by_name(archive: Path, tmp_path: Path) -> None:
    other = rewritten(archive, lambda members: members.update({"files/auth.key": b"secreT"}))
    with pytest.raises(BackupError, match=r"damaged: files/auth\.key is not what was written"):
        opened(other, tmp_path / "out")


def test_a_missing_member_is_found_by_name(archive: Path, tmp_path: Path) -> None:
    other = rewritten(archive, without("files/auth.key"))
    with pytest.raises(BackupError, match=r"damaged: files/auth\.key is missing"):
        opened(other, tmp_path / "out")


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_that_was_cut_off_is_refused(archive: Path, tmp_path: Path, share: float) -> None:
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * share)])
    with pytest.raises(BackupError, match="no backup"):
        opened(archive, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (with_manifest(format="another-backup"), "is a 'another-backup', expected"),
        (with_manifest(version=99), "of version 99, this code knows 1; upgrade it first"),
        (with_manifest(members=7), "cannot be read"),
        (without(MANIFEST), "it has no manifest.json"),
    ],
)
def test_what_is_no_backup_of_ours_is_refused(
    archive: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None], reason: str
) -> None:
    with pytest.raises(BackupError, match=reason):
        opened(rewritten(archive, change), tmp_path / "out")


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "files/../../evil"])
def test_a_member_that_wants_out_of_the_folder_is_refused(archive: Path, tmp_path: Path, name: str) -> None:
    other = rewritten(archive, lambda members: members.update({name: b"x"}))
    with pytest.raises(BackupError, match="no member of a backup"):
        opened(other, tmp_path / "out")


def test_no_archive_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(BackupError, match="no backup, or damaged"):
        opened(tmp_path / "text", tmp_path / "out")


def test_a_backup_is_told_from_an_instance_by_its_name() -> None:
    assert is_file("/var/backups/monday")
    assert is_file("monday.tar.gz")
    assert not is_file("llm-1")

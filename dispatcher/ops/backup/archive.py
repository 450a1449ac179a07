"""Archive of a backup: a tar.gz of JSON lines and small files, and a manifest with the sha256 of each.

Members are spooled through files, so a store of any size needs little memory. The manifest is the last of
them: a file that was cut off has none.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from dispatcher import __version__
from dispatcher.errors import BackupError

FORMAT: Final = "xiaozhi-dispatcher-backup"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
# The keys in it open every device's door, and the dialogues are private.
MODE: Final = 0o600
LARGEST_MANIFEST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveMember:
    """One file in the archive; `rows` is 0 where it holds no JSON lines."""

    name: str
    sha256: str
    size_bytes: int
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Content and origin of an archive.

    Attributes:
        created_at_s: Unix time.
        dispatcher: version of the code that wrote it.
        records_version: step that the tables of records were at; empty where there were none.
    """

    format: str
    version: int
    created_at_s: float
    dispatcher: str
    members: tuple[ArchiveMember, ...]
    records_version: str = ""

    def rows(self, name: str) -> int:
        """Return how many rows a member has; 0 where there is no such member."""
        return next((member.rows for member in self.members if member.name == name), 0)


_MANIFEST: Final = TypeAdapter(Manifest)


@dataclass(slots=True)
class ArchiveWriter:
    """Writes members one after the other, each through the spool file; made by `writing`."""

    tar: tarfile.TarFile
    spool: Path
    records_version: str = ""
    members: list[ArchiveMember] = field(default_factory=list)

    def add_rows(self, name: str, rows: Iterable[Any]) -> int:
        """Add JSON lines, taken one by one; return how many they were."""
        count = 0
        with self.spool.open("wb") as file:
            for count, row in enumerate(rows, start=1):  # noqa: B007  the last one is the answer
                file.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
        self._add(name, rows=count)
        return count

    def add_bytes(self, name: str, content: bytes) -> None:
        """Add a small file as it is."""
        self.spool.write_bytes(content)
        self._add(name, rows=0)

    def finish(self) -> None:
        """Add the manifest."""
        manifest = Manifest(
            format=FORMAT,
            version=VERSION,
            created_at_s=round(time.time(), 3),
            dispatcher=__version__,
            members=tuple(self.members),
            records_version=self.records_version,
        )
        self.add_bytes(MANIFEST, json.dumps(asdict(manifest), indent=1).encode() + b"\n")

    def _add(self, name: str, *, rows: int) -> None:
        size_bytes = self.spool.stat().st_size
        member = ArchiveMember(name=name, sha256=sha256_of(self.spool), size_bytes=size_bytes, rows=rows)
        self.members.append(member)
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size_bytes, MODE, int(time.time())
        with self.spool.open("rb") as file:
            self.tar.addfile(info, file)


@contextmanager
def writing(path: Path, spool_folder: Path) -> Iterator[ArchiveWriter]:
    """Write an archive beside its place, and put it there once it is whole.

    Raises:
        BackupError: the file cannot be written.
    """
    fresh = path.with_name(f"{path.name}.partial")
    try:
        descriptor = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, MODE)
        os.fchmod(descriptor, MODE)
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
            writer = ArchiveWriter(tar, spool_folder / "member")
            yield writer
            writer.finish()
        fresh.replace(path)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        fresh.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenArchive:
    """An archive that was checked as a whole, unpacked into a folder."""

    manifest: Manifest
    folder: Path

    def has(self, name: str) -> bool:
        """Return whether there is such a member."""
        return any(member.name == name for member in self.manifest.members)

    def rows(self, name: str) -> Iterator[Any]:
        """Yield the rows of a member, none where it is missing."""
        if self.has(name):
            with (self.folder / name).open("rb") as file:
                yield from map(json.loads, file)

    def content(self, name: str) -> bytes:
        """Return a small member."""
        return (self.folder / name).read_bytes()


def open_archive(path: Path, folder: Path) -> OpenArchive:
    """Unpack an archive into an empty folder, and check every byte of it.

    Raises:
        BackupError: it is no backup of ours, of a later version, cut off or changed; the text says which.
    """
    try:
        with tarfile.open(path, mode="r:gz") as tar:
            found = {info.name: _unpack(tar, info, folder) for info in tar}
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise BackupError(f"{path} is no backup, or damaged: {error}") from error
    manifest = _read_manifest(path, folder)
    for member in manifest.members:
        if found.get(member.name) != member.sha256:
            state = "missing" if member.name not in found else "not what was written"
            raise BackupError(f"{path} is damaged: {member.name} is {state}")
    return OpenArchive(manifest=manifest, folder=folder)


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(tar: tarfile.TarFile, info: tarfile.TarInfo, folder: Path) -> str:
    """Write one member into the folder, never beside it; return its sha256."""
    place = PurePosixPath(info.name)
    if not info.isreg() or place.is_absolute() or ".." in place.parts:
        raise ValueError(f"{info.name!r} is no member of a backup")
    tar.extract(info, folder, filter="data")
    return sha256_of(folder / place)


def _read_manifest(path: Path, folder: Path) -> Manifest:
    place = folder / MANIFEST
    if not place.is_file() or place.stat().st_size > LARGEST_MANIFEST_BYTES:
        raise BackupError(f"{path} is no backup of ours, or was cut off: it has no {MANIFEST}")
    try:
        manifest = _MANIFEST.validate_json(place.read_bytes())
    except ValidationError as error:
        raise BackupError(f"{path}: its {MANIFEST} cannot be read") from error
    if manifest.format != FORMAT:
        raise BackupError(f"{path} is a {manifest.format!r}, expected a {FORMAT!r}")
    if manifest.version > VERSION:
        raise BackupError(
            f"{path} is of version {manifest.version}, this code knows {VERSION}; upgrade it first"
        )
    return manifest

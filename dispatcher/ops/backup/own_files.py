"""Files that cannot be made again: the key of the tokens, Flower's password, the YAML."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dispatcher.errors import BackupError
from dispatcher.front.admission.token_key import KEY_FILE
from dispatcher.settings import Settings
from dispatcher.supervisor.operator_password import PASSWORD_FILE

SECRETS: Final = (KEY_FILE, PASSWORD_FILE)
YAML_MEMBER: Final = "files/catalogue.yaml"
# What was there before stays beside it under this ending.
KEPT: Final = ".before-restore"
YAML_MODE: Final = 0o644
SECRET_MODE: Final = 0o600


def places(settings: Settings) -> dict[str, Path]:
    """Return where each member belongs on this machine."""
    secrets = {f"files/{name}": settings.data_dir / name for name in SECRETS}
    return {**secrets, YAML_MEMBER: settings.dispatcher_config}


def read_files(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each that there is.

    Raises:
        BackupError: one is there and cannot be read.
    """
    for name, path in places(settings).items():
        if path.exists():
            try:
                yield name, path.read_bytes()
            except OSError as error:
                raise BackupError(f"{path} cannot be read: {error.strerror}") from error


def replace_file(name: str, path: Path, content: bytes) -> str:
    """Write a file in place of the one there, which is kept; return what was done.

    Raises:
        BackupError: it cannot be written.
    """
    kept = ""
    try:
        if path.exists():
            if path.read_bytes() == content:
                return f"{path} is the same"
            path.replace(path.with_name(path.name + KEPT))
            kept = f", the one before is {path.name}{KEPT}"
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = YAML_MODE if name == YAML_MEMBER else SECRET_MODE
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror}") from error
    return f"{path} restored{kept}"

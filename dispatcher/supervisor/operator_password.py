"""Password of the operator: the console asks for it, and Flower too unless it has one of its own."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from dispatcher.data_dir import make_secret_file
from dispatcher.errors import ConfigError, StartError
from dispatcher.settings import Settings

# Flower was first to have one, and deployments have this file.
PASSWORD_FILE: Final = "flower-password"  # noqa: S105  the name of a file
MIN_CHARACTERS: Final = 8


def password_file(settings: Settings) -> Path:
    """Return the file of the password where OPERATOR_PASSWORD is not set; it is made where none was named.

    Raises:
        StartError: it cannot be made.
    """
    if settings.operator_password_file:
        return Path(settings.operator_password_file).absolute()
    path = (settings.data_dir / PASSWORD_FILE).absolute()
    try:
        make_password(path)
    except OSError as error:
        raise StartError(f"the operator's password: {path} cannot be made: {error}") from error
    return path


def read_operator_password(settings: Settings) -> str:
    """Return the password.

    Raises:
        ConfigError: it cannot be used, or is set twice.
        StartError: its file cannot be read or made.
    """
    if settings.operator_password and settings.operator_password_file:
        raise ConfigError(
            ["OPERATOR_PASSWORD_FILE: was set beside OPERATOR_PASSWORD; expected one of the two"]
        )
    if settings.operator_password:
        require_usable(settings.operator_password, "OPERATOR_PASSWORD")
        return settings.operator_password
    return read_password_file(password_file(settings))


def read_password_file(path: Path) -> str:
    """Return the password that a file holds.

    Raises:
        ConfigError: it cannot be used.
        StartError: the file cannot be read.
    """
    try:
        held = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"the operator's password: {path} cannot be used: {error}") from error
    require_usable(held, str(path))
    return held


def make_password(path: Path) -> None:
    """Write a password of 128 bits to a file that its owner alone can read, unless there is one.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    if not path.exists():
        make_secret_file(path, secrets.token_urlsafe(16))
        return
    with suppress(OSError):  # a disk that is read-only keeps Flower from nothing
        path.chmod(0o600)  # an editor may have written it anew for all to read


def require_usable(password: str, source: str) -> None:
    """Do nothing for a password that every browser sends in the same bytes; the text never quotes it."""
    if len(password) < MIN_CHARACTERS or not (password.isascii() and password.isprintable()):
        raise ConfigError(
            [f"{source}: was not usable; expected {MIN_CHARACTERS} or more printable ASCII characters"]
        )

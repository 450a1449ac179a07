"""The key behind the tokens: every front of a deployment has the same, on whatever host it runs."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

import structlog

from dispatcher.errors import StartError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.settings import Settings

log = structlog.get_logger(__name__)

KEY_FILE: Final = "auth.key"
MIN_KEY_BYTES: Final = 32


def load_key(settings: Settings) -> bytes:
    """Return the key of FRONT_TOKEN_KEY_FILE, else the one in DATA_DIR, which is made at the first start.

    Where DATA_DIR cannot be written to, the key lives as long as this process, or as the Redis that knows it.

    Raises:
        StartError: the file cannot be read or holds too little to be a key.
    """
    if settings.front_token_key_file:
        return _read_key(Path(settings.front_token_key_file), remedy="write a longer one")
    path = settings.data_dir / KEY_FILE
    if not path.exists():
        made = secrets.token_hex(32).encode()
        if not _is_kept(path, made):
            return made
    return _read_key(path, remedy="remove it to have one made")


async def agree_on_key(redis: RedisClient, settings: Settings) -> bytes:
    """Return the key that all fronts of this Redis use: whoever is first offers its own, the others take it.

    Each keeps it in its DATA_DIR, so that the same key comes back after Redis lost it. With
    FRONT_TOKEN_KEY_FILE nothing is asked, and the key never lies in Redis.

    Raises:
        StateError: Redis is out of reach.
        StartError: no key can be read or written.
    """
    own = load_key(settings)
    if settings.front_token_key_file:
        return own
    await redis.execute("SET", keys.FRONT_TOKEN_KEY, own, "NX")
    agreed: bytes | None = await redis.execute("GET", keys.FRONT_TOKEN_KEY)
    if agreed is None or agreed == own or len(agreed) < MIN_KEY_BYTES:
        return own
    if _is_kept(settings.data_dir / KEY_FILE, agreed):
        log.info("token key taken over from the other fronts")
    return agreed


async def agree_anew(redis: RedisClient, key: bytes) -> None:
    """Let all fronts of this Redis take this key when they start: another one was agreed on before.

    Raises:
        StateError: Redis is out of reach.
    """
    await redis.execute("SET", keys.FRONT_TOKEN_KEY, key)


def _is_kept(path: Path, key: bytes) -> bool:
    """Write the key; return False, with a line in the log, where the disk does not take it."""
    try:
        _write_key(path, key)
    except OSError as error:
        log.warning("token key not kept", path=str(path), reason=error.strerror or str(error))
        return False
    return True


def _write_key(path: Path, key: bytes) -> None:
    """Put a whole key in place, readable by its owner alone; of two fronts in one folder the last wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    fresh.replace(path)


def _read_key(path: Path, *, remedy: str) -> bytes:
    try:
        key = path.read_bytes()
    except OSError as error:
        raise StartError(f"the key of the tokens cannot be read: {error}") from error
    # With an empty key anyone could make a token.
    if len(key) < MIN_KEY_BYTES:
        raise StartError(f"{path} holds {len(key)} bytes, expected at least {MIN_KEY_BYTES}; {remedy}")
    return key

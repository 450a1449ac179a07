"""A catalogue as one JSON text, so that processes without the file can follow it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Final

from pydantic import TypeAdapter, ValidationError

from dispatcher.catalogue.fields import PUBLISHED
from dispatcher.catalogue.model import Catalogue
from dispatcher.errors import ConfigError

_ADAPTER: Final = TypeAdapter(Catalogue)
FROM_REDIS: Final = {PUBLISHED: True}


def encode(catalogue: Catalogue) -> str:
    """Return the catalogue as JSON; it holds the names of keys' variables, never a key."""
    return _ADAPTER.dump_json(catalogue).decode()


def decode(text: str | bytes) -> Catalogue:
    """Return the catalogue of a JSON text; what a newer version added is left out.

    Raises:
        ConfigError: it was written by a version that says something else here.
    """
    try:
        return _ADAPTER.validate_json(text, by_alias=False, by_name=True, extra="ignore", context=FROM_REDIS)
    except ValidationError as error:
        raise ConfigError(
            [f"published catalogue: {error.error_count()} fields are not of this version"]
        ) from error


def digest(catalogue: Catalogue) -> str:
    """Return a digest of what a catalogue says, whatever its path and its comments."""
    return hashlib.sha256(encode(replace(catalogue, path="")).encode()).hexdigest()

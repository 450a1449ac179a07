"""A catalogue as one JSON text, so that processes without the file can follow it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache
from typing import Final

from pydantic import TypeAdapter, ValidationError

from dispatcher.catalogue.fields import PUBLISHED
from dispatcher.catalogue.model import Catalogue
from dispatcher.errors import ConfigError

FROM_REDIS: Final = {PUBLISHED: True}


@cache
def catalogue_adapter() -> TypeAdapter[Catalogue]:
    """Return pydantic's schema, built on first use: 40 ms of CPU, which is for who publishes one."""
    return TypeAdapter(Catalogue)


def encode(catalogue: Catalogue) -> str:
    """Return the catalogue as JSON; it holds the names of keys' variables, never a key."""
    return catalogue_adapter().dump_json(catalogue).decode()


def decode(text: str | bytes) -> Catalogue:
    """Return the catalogue of a JSON text; what a newer version added is left out.

    Raises:
        ConfigError: it was written by a version that says something else here.
    """
    try:
        return catalogue_adapter().validate_json(
            text, by_alias=False, by_name=True, extra="ignore", context=FROM_REDIS
        )
    except ValidationError as error:
        raise ConfigError(
            [f"published catalogue: {error.error_count()} fields are not of this version"]
        ) from error


def digest(catalogue: Catalogue) -> str:
    """Return a digest of what a catalogue says, whatever its path and its comments."""
    return hashlib.sha256(encode(replace(catalogue, path="")).encode()).hexdigest()

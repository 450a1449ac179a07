"""Decoding of stream entries and hashes, in either version of the protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

Entry = tuple[bytes, Mapping[bytes, bytes]]


def entries_of(answer: Any) -> Iterable[Entry]:
    """Return the entries of an answer that is about one stream, oldest first; none where it is empty."""
    if not answer:
        return []
    if isinstance(answer, dict):
        batches = next(iter(answer.values()))
        return batches[0] if batches and isinstance(batches[0], list) else batches
    return cast("Iterable[Entry]", answer[0][1])

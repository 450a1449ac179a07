"""Answers of Redis decoded, in either version of its protocol: hashes, stream entries, its clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

Entry = tuple[bytes, Mapping[bytes, bytes]]


def as_text(flat: Mapping[bytes, bytes] | Sequence[bytes]) -> Mapping[str, str]:
    """Return the fields as text; they arrive as pairs or in a row, as the connection's protocol has it."""
    pairs = flat.items() if isinstance(flat, Mapping) else zip(flat[::2], flat[1::2], strict=True)
    return {field.decode(): value.decode() for field, value in pairs}


def entries_of(answer: Any) -> Iterable[Entry]:
    """Return the entries of an answer that is about one stream, oldest first; none where it is empty."""
    if not answer:
        return []
    if isinstance(answer, dict):
        batches = next(iter(answer.values()))
        return batches[0] if batches and isinstance(batches[0], list) else batches
    return cast("Iterable[Entry]", answer[0][1])


def clock_ms(answer: Sequence[bytes]) -> int:
    """Return the Unix time in whole ms that an answer to TIME says."""
    seconds, microseconds = map(int, answer)
    return seconds * 1000 + microseconds // 1000

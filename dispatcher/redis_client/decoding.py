"""Hashes and stream entries as they come from Redis, made text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def as_text(flat: Mapping[bytes, bytes] | Sequence[bytes]) -> Mapping[str, str]:
    """Return the fields as text; they arrive as pairs or in a row, as the connection's protocol has it."""
    pairs = flat.items() if isinstance(flat, Mapping) else zip(flat[::2], flat[1::2], strict=True)
    return {field.decode(): value.decode() for field, value in pairs}

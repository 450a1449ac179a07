"""Weights and caps at which an operator holds instances, as hold.lua writes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldValue:
    """A weight or a cap at which an operator holds an instance.

    Attributes:
        left_s: until it ends by itself; None until it is undone.
        by: who said so.
    """

    value: float
    left_s: float | None
    by: str


def read_held(written: str, now_ms: float) -> HeldValue | None:
    """Return what hold.lua wrote, while it lasts."""
    value, _, rest = written.partition(" ")
    until, _, by = rest.partition(" ")
    until_ms = float(until or 0)
    if not value or 0 < until_ms <= now_ms:
        return None
    return HeldValue(value=float(value), left_s=(until_ms - now_ms) / 1000 if until_ms else None, by=by)

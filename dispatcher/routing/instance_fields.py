"""Fields of an instance's hash as numbers, with what an operator holds over them, as hold.lua writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dispatcher.routing.rules.constants import RESPONSE_TIME_WIDTH


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


def number_of(fields: Mapping[str, str], field: str, default: float = 0.0) -> float:
    """Return a number, or the default where the field is missing or empty."""
    return float(fields.get(field) or default)


def reported(fields: Mapping[str, str], field: str) -> float | None:
    """Return what an instance said of itself; None where it does not say."""
    return float(fields[field]) if fields.get(field) else None


def cap_of(fields: Mapping[str, str], now_ms: float) -> int:
    """Return the most calls at once: held by an operator, else as configured and lowered by the tuner."""
    held, cap = read_held(fields.get("cap_held", ""), now_ms), number_of(fields, "cap", 1)
    return int(held.value if held else min(cap, number_of(fields, "cap_limit", cap)))


def response_times_ms(fields: Mapping[str, str]) -> list[float]:
    """Return the last response times, oldest first, as finish.lua packs them."""
    packed = fields.get("response_times", "")
    starts = range(0, len(packed), RESPONSE_TIME_WIDTH)
    return [float(packed[start : start + RESPONSE_TIME_WIDTH]) for start in starts]

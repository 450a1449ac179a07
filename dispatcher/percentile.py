"""Percentiles by nearest rank: always a value that was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], ratio: float) -> float | None:
    """Return the smallest value that so many of them do not exceed; None of no values.

    Args:
        values: in any order.
        ratio: 0..1.
    """
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(ratio * len(values)) - 1)]

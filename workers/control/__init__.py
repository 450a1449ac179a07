"""Queue `control`: what beat drives, and the watch over the YAML; never behind the tasks of a turn."""

from __future__ import annotations

from workers.control import (
    auto_tuner,
    canary,
    devices,
    file_watch,
    health_check,
    kpis,
    metrics,
    records,
    remember,
    weight_adjustment,
)

__all__ = [
    "auto_tuner",
    "canary",
    "devices",
    "file_watch",
    "health_check",
    "kpis",
    "metrics",
    "records",
    "remember",
    "weight_adjustment",
]

"""Queue `control`: what beat drives, and the watch over the YAML; never behind the tasks of a turn."""

from __future__ import annotations

from workers.control import file_watch, health_check

__all__ = ["file_watch", "health_check"]

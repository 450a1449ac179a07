"""The Celery side: one task per stage of a turn."""

from __future__ import annotations

from dispatcher.lean_imports import import_without_extras

import_without_extras("structlog", "redis")

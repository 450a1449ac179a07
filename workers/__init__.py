"""The Celery side: one task per stage of a turn."""

from __future__ import annotations

import dispatcher.lean_structlog  # noqa: F401  before whatever imports structlog

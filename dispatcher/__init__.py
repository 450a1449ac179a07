"""xiaozhi dispatcher: one small box serves a houseful of xiaozhi voice devices."""

from __future__ import annotations

__version__ = "0.1.0"

"""Begins and ends of alerts, from the records; those of this moment are among the KPIs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispatcher.console.live_feed import FeedSources
from dispatcher.console.snapshot import ConsoleSnapshot


async def read(sources: FeedSources, _: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the last changes, newest first; None where the records cannot be read."""
    return {"changes": await sources.records.known_alerts()}

"""Events of the fleet since the console started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispatcher.console.live_feed import FeedSources
from dispatcher.console.snapshot import ConsoleSnapshot


async def read(sources: FeedSources, _: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the events, newest first."""
    return {"events": sources.events.newest()}

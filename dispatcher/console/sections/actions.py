"""Actions of operators: who did what, when, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispatcher.console.action_log import read_actions
from dispatcher.console.live_feed import FeedSources
from dispatcher.console.snapshot import ConsoleSnapshot


async def read(sources: FeedSources, _: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the last actions, newest first."""
    return {"actions": await read_actions(sources.redis)}

"""The tuner's log with its evidence and verdicts, and what of it is in force."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from dispatcher.console.live_feed import FeedSources
from dispatcher.console.snapshot import ConsoleSnapshot
from dispatcher.control import tuner_store

DECISIONS_READ: Final = 120
EXPERIMENTS_SHOWN: Final = 30


async def read(sources: FeedSources, _: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the last experiments, newest first."""
    experiments, state = await asyncio.gather(
        tuner_store.read_log(sources.redis, count=DECISIONS_READ), tuner_store.load(sources.redis)
    )
    rows = [
        {
            "number": each.first.number,
            "at_s": each.first.at_s,
            "cause": each.first.cause,
            "evidence": each.first.evidence,
            "action": each.first.action.in_words(),
            "why": each.first.why,
            "event": each.latest.event,
            "verdict": each.latest.verdict,
            "is_active": state.find(each.first.number) is not None,
        }
        for each in experiments[: -EXPERIMENTS_SHOWN - 1 : -1]
    ]
    return {"experiments": rows}

"""Instances and KPIs, in the very fields of `dispatcher status --json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispatcher.console.live_feed import FeedSources
from dispatcher.console.snapshot import ConsoleSnapshot
from dispatcher.telemetry.status_fields import status_fields


async def read(_: FeedSources, snapshot: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the status of the deployment."""
    return status_fields(snapshot.overview, snapshot.kpis, snapshot.phrases, speculation=snapshot.speculation)

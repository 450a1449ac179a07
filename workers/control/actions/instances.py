"""What is done to single instances: fields that the pick script honours at the next call."""

from __future__ import annotations

from typing import Final

from dispatcher.control.rules.actions import Action
from dispatcher.control.tuner_evidence import split_target
from dispatcher.errors import ActionRefused
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.routing import instance_table

CAP_LIMIT: Final = "cap_limit"
PRIORITY_OVERRIDE: Final = "priority_override"


async def limit_caps(shared: WorkerContext, action: Action) -> None:
    """Lower or raise how many calls an instance takes at once; those under way end in peace."""
    await _set(shared, action, CAP_LIMIT)


async def prefer(shared: WorkerContext, action: Action) -> None:
    """Change which instances of a service are used first."""
    await _set(shared, action, PRIORITY_OVERRIDE)


async def _set(shared: WorkerContext, action: Action, field: str) -> None:
    for change in action.changes:
        service, name = split_target(change.what)
        value = "" if change.after is None else str(change.after)
        if not await instance_table.set_field(shared.redis, service, name, field=field, value=value):
            raise ActionRefused(f"{change.what} left the catalogue")

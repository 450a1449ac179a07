"""What is done to fronts: knobs that they look at once a second."""

from __future__ import annotations

from dispatcher.control import overrides
from dispatcher.control.rules.actions import Action
from dispatcher.pipeline.worker_context import WorkerContext


async def set_overrides(shared: WorkerContext, action: Action) -> None:
    """Turn each knob that the action names."""
    for change in action.changes:
        await overrides.set_override(shared.redis, change.what, change.after)

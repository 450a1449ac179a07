"""What is done to fronts: knobs that they look at once a second."""

from __future__ import annotations

from dispatcher.control import overrides
from dispatcher.control.rules.tuner.actions import Action
from dispatcher.pipeline.worker_context import WorkerContext


async def turn_knobs(shared: WorkerContext, action: Action) -> None:
    """Turn each knob that the action names."""
    for change in action.changes:
        await overrides.turn(shared.redis, change.what, change.after)

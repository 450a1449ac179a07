"""What is done to fronts: knobs that they look at once a second."""

from __future__ import annotations

from dispatcher.balancing.tuner.actions import Action
from dispatcher.state import knobs
from workers.runtime import Runtime


async def turn_knobs(shared: Runtime, action: Action) -> None:
    """Turn each knob that the action names."""
    for change in action.changes:
        await knobs.turn(shared.line, change.what, change.after)

"""What is done to worker processes: restart one, or ask the supervisor for more of them."""

from __future__ import annotations

import asyncio

from dispatcher.control import overrides
from dispatcher.control.rules.actions import Action
from dispatcher.errors import ActionRefused
from dispatcher.pipeline.worker_context import WorkerContext
from workers.celery import app
from workers.control.actions.pools import look_at_workers


async def restart(_shared: WorkerContext, action: Action) -> None:
    """Tell one worker to end: it takes nothing new, ends what it works on, and is started again.

    The tuner proposes it only where another worker serves the queue or a supervisor starts it again.
    """
    await asyncio.to_thread(_restart, action.target)


def _restart(name: str) -> None:
    if name not in {worker.name for worker in look_at_workers()}:
        raise ActionRefused(f"{name} does not answer")
    app.control.broadcast("shutdown", destination=[name])


async def ask_for_workers(shared: WorkerContext, action: Action) -> None:
    """Tell the supervisor how many extra processes each queue is to have."""
    for change in action.changes:
        await overrides.set_override(shared.redis, overrides.extra_workers_name(change.what), change.after)

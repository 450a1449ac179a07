"""What the tuner's actions do. Each sets what it is told to; its inverse does the same with other numbers.

A new kind of action adds its name to `dispatcher/control/rules/actions.py` and its function here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from dispatcher.control.rules.actions import Action, Kind
from dispatcher.pipeline.worker_context import WorkerContext
from workers.control.actions import instances, pools, processes, settings, upkeep

Act = Callable[[WorkerContext, Action], Awaitable[None]]

ACTS: Final[Mapping[Kind, Act]] = {
    "pool": pools.resize,
    "cap": instances.limit_caps,
    "prefer": instances.prefer,
    "admission": settings.set_overrides,
    "buffer": settings.set_overrides,
    "restart": processes.restart,
    "worker": processes.ask_for_workers,
    "records": upkeep.keep_records,
}


async def act(shared: WorkerContext, action: Action) -> None:
    """Do what an action says.

    Raises:
        ActionRefused: it cannot act here and now; nothing was changed that its inverse would not mend.
        StateError: Redis is out of reach.
    """
    await ACTS[action.kind](shared, action)

"""Upkeep of the SQL records: the task that does it anyhow, now instead of later."""

from __future__ import annotations

import asyncio

from dispatcher.control.rules.actions import Action
from dispatcher.errors import ActionRefused
from dispatcher.messages import CONTROL_QUEUE, KEEP_RECORDS
from dispatcher.pipeline.worker_context import WorkerContext
from workers.celery import app


def is_there() -> bool:
    """Whether this process knows the task."""
    return KEEP_RECORDS in app.tasks


async def keep_records(_shared: WorkerContext, _action: Action) -> None:
    """Send the task that prunes and optimises."""
    if not is_there():
        raise ActionRefused("no records are kept here")
    await asyncio.to_thread(app.send_task, KEEP_RECORDS, queue=CONTROL_QUEUE)

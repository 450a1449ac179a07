"""The YAML of the control worker is watched: a change of what it says is put in force, or refused."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog
from celery.signals import worker_ready

from dispatcher.catalogue.model import Catalogue
from dispatcher.catalogue.watched_file import WatchedFile
from dispatcher.errors import ConfigError, StateError
from dispatcher.messages import CONTROL_QUEUE
from dispatcher.pipeline.worker_context import WorkerContext, process_context
from dispatcher.routing import instance_table

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 2.0


async def watch(shared: WorkerContext, watched: WatchedFile | None) -> None:
    """Look every two seconds, and forget instances that left and have no call any more, for ever."""
    # A change that Redis could not take waits for it; nothing else makes the file count as chosen again.
    changed: Catalogue | None = None
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            if watched is not None:
                changed = await asyncio.to_thread(watched.look) or changed
            if changed is not None:
                await shared.router.live.adopt(changed)
                log.info("catalogue reloaded", file=changed.path, revision=shared.router.live.revision)
                changed = None
            forgotten = await instance_table.prune(shared.redis)
            if forgotten:
                log.info("instances left", instances=forgotten)
        except ConfigError as error:
            log.warning("catalogue refused, the one before stays", problems=error.problems)
        except StateError as error:
            log.warning("catalogue not looked after", reason=str(error))


@worker_ready.connect
def watch_file(sender: Any, **_: Any) -> None:
    """Watch the file where this worker serves the control queue and was told of one."""
    if CONTROL_QUEUE in sender.app.amqp.queues.consume_from:
        shared = process_context()
        settings = shared.settings
        watched = None
        if not settings.follows_redis:
            watched = WatchedFile(settings.dispatcher_config, shared.started_with)
        shared.keep_running(watch(shared, watched))

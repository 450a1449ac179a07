"""Celery's own moments: choose the pool, warm up, close."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutdown

from dispatcher.pipeline.loop_thread import LOOP_START_TIMEOUT_S
from dispatcher.pipeline.warm_up import WarmUp
from dispatcher.pipeline.worker_context import process_context
from dispatcher.routing.initial_catalogue import starting_catalogue
from dispatcher.settings import load_settings
from workers.celery_ext.pools import ResizablePool, choose_pool
from workers.celery_ext.taken import TAKEN


@worker_init.connect
def prepare_worker(sender: Any, **_: Any) -> None:
    """Choose pool and size before they are built."""
    settings = load_settings()
    choose_pool(sender, starting_catalogue(settings))
    if sender.pool_cls is ResizablePool:
        TAKEN.begin(sender.app.amqp.queues.consume_from)


@worker_process_init.connect
def warm_up_process(**_: Any) -> None:
    """Warm up a process of a prefork pool."""
    process_context()


@worker_ready.connect
def warm_up_worker(sender: Any, **_: Any) -> None:
    """Warm up the worker and show that its queues are served."""
    # An operator whose broker went away has no use for Celery's plans. Filters of `warnings` would not hide
    # them: a thread that leaves `catch_warnings` meanwhile puts back those of before.
    logging.getLogger("py.warnings").addFilter(_is_for_operators)
    queues = list(sender.app.amqp.queues.consume_from)
    context = process_context()
    warm_up = WarmUp(context, queues, lambda: int(sender.pool.limit))
    context.run(warm_up.run(), timeout_s=LOOP_START_TIMEOUT_S)
    if context.settings.metrics_port:
        from workers.celery_ext.worker_metrics import (  # noqa: PLC0415  0.6 MB that few need
            PICKS_KEPT,
            serve_metrics,
        )

        picks_s = context.router.pick_times_s = deque(maxlen=PICKS_KEPT)
        serve_metrics(context.settings, context.loop, TAKEN, lambda: int(sender.pool.limit), picks_s)
    if TAKEN.worker:  # from here on it takes messages, and nobody else need take over its queues
        TAKEN.on_missed = sender.take_over
        context.keep_running(TAKEN.follow())


def _is_for_operators(record: logging.LogRecord) -> bool:
    return "CPendingDeprecationWarning" not in record.getMessage()


@worker_shutdown.connect
def close_worker(**_: Any) -> None:
    """Close connections; leases that are still held expire by themselves."""
    process_context().stop()

"""Pool and size of a worker, from the queues that it consumes.

`celery -A workers worker -Q llm` is all that anyone types: the queue says that its tasks wait for
instances (threads) and how many can wait at once (the slots of its instances). `-P` and `-c` win.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

import click
from celery.concurrency.base import apply_target
from celery.concurrency.thread import ApplyResult, TaskPool
from click.core import ParameterSource

from dispatcher.catalogue.model import Catalogue, ServiceConfig
from dispatcher.messages import CONTROL_QUEUE, SERVICES
from workers.celery_ext.threads import ElasticThreads

CONTROL_SLOTS: Final = 4
MIN_SLOTS: Final = 4
MAX_SLOTS: Final = 512


class ResizablePool(TaskPool):
    """Celery's threads pool with a limit that can move while tasks run.

    The gate is passed inside the thread and before the task is acknowledged, so what waits at it
    still counts as prefetched, and shrinking never interrupts a task.
    """

    limit: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make room for the largest pool; threads come when they are needed and go when they are not."""
        super().__init__(*args, **kwargs)
        self.executor = ElasticThreads(max_threads=MAX_SLOTS)
        self._gate = threading.Condition()
        self._running = 0

    def on_apply(self, target: Callable[..., Any], *args: Any, **options: Any) -> ApplyResult:
        """Run the task in a thread once a place is free."""
        return ApplyResult(self.executor.submit(partial(self._pass_gate, target, args, options)))

    def on_stop(self) -> None:
        """Wait for the tasks that run."""
        self.executor.shutdown()

    def _get_info(self) -> dict[str, Any]:
        return {
            "implementation": "workers.celery_ext.pools:ResizablePool",
            "max-concurrency": self.limit,
            "threads": self.executor.count,
        }

    def grow(self, n: int = 1) -> None:
        """Let `n` more tasks run at once."""
        self._resize(n)

    def shrink(self, n: int = 1) -> None:
        """Let `n` fewer tasks run at once; those that run already end in peace."""
        self._resize(-n)

    def _resize(self, by: int) -> None:
        with self._gate:
            self.limit = max(1, min(MAX_SLOTS, self.limit + by))
            self._gate.notify_all()

    def _pass_gate(
        self, target: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any]
    ) -> None:
        with self._gate:
            self._gate.wait_for(lambda: self._running < self.limit)
            self._running += 1
        try:
            names = ("args", "kwargs", "callback", "accept_callback")
            given = dict(zip(names, args, strict=False))
            given.update({name: options[name] for name in names if name in options})
            apply_target(target, **given)
        finally:
            with self._gate:
                self._running -= 1
                self._gate.notify()


def slots_for(queues: Iterable[str], catalogue: Catalogue) -> int:
    """Return how many tasks a worker of these queues runs at once."""
    names = set(queues)
    slots = sum(_places(catalogue.services[service]) for service in SERVICES if service in names)
    if CONTROL_QUEUE in names:
        slots += CONTROL_SLOTS
    return max(MIN_SLOTS, min(MAX_SLOTS, slots))


def _places(config: ServiceConfig) -> int:
    """Return the places for the tasks of a service: one for each slot.

    Where some instances hear an utterance live and others want the whole of it, the tasks of the latter wait
    without a slot while the user speaks, and must not keep others from the slots that are free.
    """
    is_mixed = config.has_streaming_asr and not all(
        instance.is_streaming_asr for instance in config.instances
    )
    return config.slots * 2 if is_mixed else config.slots


def choose_pool(worker: Any, catalogue: Catalogue) -> None:
    """Give a worker the pool, size and name of its queues, unless the command line says otherwise.

    Called from `worker_init`: the queues are selected by then and the pool is not built yet.
    """
    queues = list(worker.app.amqp.queues.consume_from)
    if not _said("pool"):
        worker.pool_cls = ResizablePool
    if not _said("concurrency"):
        worker.concurrency = slots_for(queues, catalogue)
    if not _said("hostname"):
        worker.hostname = worker.hostname.replace("celery@", "-".join(queues) + "@", 1)
    # Workers have nothing to say to each other: leases and health are in Redis.
    worker.options.update(without_gossip=True, without_mingle=True)


def _said(parameter: str) -> bool:
    """Return whether the command line or the environment set a worker option."""
    context = click.get_current_context(silent=True)
    if context is None:
        return False
    return context.get_parameter_source(parameter) in (
        ParameterSource.COMMANDLINE,
        ParameterSource.ENVIRONMENT,
    )

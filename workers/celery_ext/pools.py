"""Pool and size of a worker, from the queues that it consumes.

`celery -A workers worker -Q llm` is all that anyone types: the queue says that its tasks wait for
instances (threads) and how many can wait at once (the slots of its instances). `-P` and `-c` win.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import click
from celery.concurrency.thread import TaskPool
from click.core import ParameterSource

from dispatcher.catalogue.model import Catalogue, ServiceConfig
from dispatcher.messages import CONTROL_QUEUE, SERVICES
from workers.celery_ext.threads import ElasticThreads

CONTROL_SLOTS: Final = 4
MIN_SLOTS: Final = 4
MAX_SLOTS: Final = 512


class ResizablePool(TaskPool):
    """Celery's threads pool with a limit that can move while tasks run.

    A task that waits for a thread is not acknowledged, so it counts as prefetched.
    """

    executor: ElasticThreads
    limit: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the limit of the worker; threads come when they are needed and go when they are not."""
        super().__init__(*args, **kwargs)
        self.executor = ElasticThreads(limit=self.limit)

    def on_stop(self) -> None:
        """Wait for the tasks that run."""
        self.executor.shutdown()

    def grow(self, n: int = 1) -> None:
        """Let `n` more tasks run at once."""
        self._resize(self.limit + n)

    def shrink(self, n: int = 1) -> None:
        """Let `n` fewer tasks run at once; those that run already end in peace."""
        self._resize(self.limit - n)

    def _resize(self, limit: int) -> None:
        self.limit = max(1, min(MAX_SLOTS, limit))
        self.executor.resize(self.limit)


def slots_for(queues: Iterable[str], catalogue: Catalogue) -> int:
    """Return how many tasks a worker of these queues runs at once."""
    names = set(queues)
    slots = sum(_slots_of(catalogue.services[service]) for service in SERVICES if service in names)
    if CONTROL_QUEUE in names:
        slots += CONTROL_SLOTS
    return max(MIN_SLOTS, min(MAX_SLOTS, slots))


def _slots_of(config: ServiceConfig) -> int:
    """Return the room for the tasks of a service: one for each slot.

    Where some instances transcribe an utterance as it is spoken and others want the whole of it, the tasks of
    the latter wait without a slot while the user speaks, and must not keep others from the free slots.
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
    if not _is_given("pool"):
        worker.pool_cls = ResizablePool
    if not _is_given("concurrency"):
        worker.concurrency = slots_for(queues, catalogue)
    if not _is_given("hostname"):
        worker.hostname = worker.hostname.replace("celery@", "-".join(queues) + "@", 1)
    # Workers exchange nothing: leases and health are in Redis.
    worker.options.update(without_gossip=True, without_mingle=True)


def _is_given(parameter: str) -> bool:
    """Return whether the command line or the environment set a worker option."""
    context = click.get_current_context(silent=True)
    if context is None:
        return False
    return context.get_parameter_source(parameter) in (
        ParameterSource.COMMANDLINE,
        ParameterSource.ENVIRONMENT,
    )

"""Pool and size of a worker, from the queues that it consumes.

`celery -A workers worker -Q llm` is all that anyone types: the queue says that its tasks wait for
instances (so they run on the loop) and how many can wait at once (the slots of its instances).
`-P` and `-c` win.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import click
from billiard.einfo import ExceptionInfo
from celery.concurrency.base import BasePool
from celery.exceptions import SoftTimeLimitExceeded, WorkerLostError
from click.core import ParameterSource

from dispatcher.catalogue.model import Catalogue, ServiceConfig
from dispatcher.messages import CONTROL_QUEUE, SERVICES
from dispatcher.pipeline.loop_thread import LoopThread
from dispatcher.pipeline.worker_context import process_context
from dispatcher.routing.router import Router
from workers.celery_ext.loop_consumer import LoopConsumer
from workers.celery_ext.taken import TAKEN

CONTROL_SLOTS: Final = 4
MIN_SLOTS: Final = 4
MAX_SLOTS: Final = 512
# Tasks that wait in line for a slot and take no place of the pool; more of them wait in the queue.
MOST_IN_LINE: Final = 64


@dataclass(kw_only=True, eq=False)
class _Job:
    """A request of Celery on its way through the pool.

    Attributes:
        call: Celery's tracer and its arguments, the name of the task first.
        on_accepted: called with process id and monotonic time when it begins.
        on_success: called with what the tracer returns, a failure of the task too.
        on_failure: called with an error of the tracer itself.
        on_timeout: called with whether a limit is soft, and the limit.
        soft_limit_s, limit_s: after so long the task is interrupted, or ended; None for never.
    """

    call: tuple[Callable[..., Any], tuple[Any, ...]]
    on_accepted: Callable[[int, float], object]
    on_success: Callable[[Any], object]
    on_failure: Callable[[ExceptionInfo], object]
    on_timeout: Callable[[bool, float], object]
    soft_limit_s: float | None
    limit_s: float | None
    task: asyncio.Task[None] | None = None
    is_terminated: bool = False

    def terminate(self, signal: int | None = None) -> None:  # noqa: ARG002  Celery's signature
        """End it; Celery has announced it as revoked or cancelled."""
        self.is_terminated = True
        if self.task is not None:
            self.task.get_loop().call_soon_threadsafe(self.task.cancel)


class ResizablePool(BasePool):
    """Pool that runs tasks on the loop of the process, within a limit that can move while they run.

    A task with `is_on_loop` waits by `WorkerContext.run` alone and needs no thread of its own. Others, those
    of the control queue, have one. A task that waits for a place is not acknowledged. One that waits in line
    for a slot takes none, so that the order of the line decides which is next, and not that of the queue.
    Nor does one that ends where another waits for its slot.
    More than twelve methods: Celery's interface of a pool asks for most of them.
    """

    limit: int
    body_can_be_buffer = True
    signal_safe = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the limit of the worker; threads come when they are needed."""
        super().__init__(*args, **kwargs)
        self._loop: LoopThread
        self._waiting: deque[_Job] = deque()
        self._running: set[_Job] = set()
        self._count_in_line: Callable[[], int] = lambda: 0
        self._threads = ThreadPoolExecutor(MAX_SLOTS, thread_name_prefix="task")

    def on_start(self) -> None:
        """Start the loop."""
        context = process_context()
        self._loop = context.loop
        TAKEN.connect(context.loop, context.redis)
        self.follow_line(context.router)

    def follow_line(self, router: Router) -> None:
        """Leave calls that wait in line for a slot, or end for one that does, out of the limit."""

        def count_in_line() -> int:
            catalogue = router.active.current
            # A real call has to run to ask for the slot of such a call.
            spare = len(router.spare_slots)
            if not catalogue.overload.enabled:
                return spare
            # Where this pool holds every slot that there is, the next task can only go in line.
            held = router.held_slots - spare
            can_only_wait = held >= self.limit >= slots_for(TAKEN.queues, catalogue)
            return spare + min(len(router.line) + can_only_wait, MOST_IN_LINE)

        def on_changed() -> None:
            TAKEN.notice_room()
            self._hand_out()

        self._count_in_line = TAKEN.count_in_line = count_in_line
        router.line.on_changed = router.spare_slots.on_changed = on_changed

    def on_stop(self) -> None:
        """Wait for the tasks that run; what waits goes back to its queue."""
        self._loop.run(self._drain(), timeout_s=None)
        self._threads.shutdown()

    def on_terminate(self) -> None:
        """End the tasks that run."""
        for job in tuple(self._running):
            job.terminate()

    def terminate_job(self, pid: int, signal: int | None = None) -> None:
        """Do nothing: a request terminates its job, and no process."""

    def on_apply(self, target: Any, args: Any = (), _kwargs: Any = None, **options: Any) -> _Job:
        """Run a request as soon as fewer than the limit run; called from any thread."""
        job = _Job(
            call=(target, tuple(args)),
            on_accepted=options["accept_callback"],
            on_success=options["callback"],
            on_failure=options["error_callback"],
            on_timeout=options["timeout_callback"],
            soft_limit_s=options.get("soft_timeout") or self.options.get("soft_timeout"),
            limit_s=options.get("timeout") or self.options.get("timeout"),
        )
        self._loop.call_on_loop(self._take, job)
        return job

    def grow(self, n: int = 1) -> None:
        """Let `n` more tasks run at once."""
        self._resize(self.limit + n)

    def shrink(self, n: int = 1) -> None:
        """Let `n` fewer tasks run at once; those that run already end in peace."""
        self._resize(self.limit - n)

    def _get_info(self) -> dict[str, Any]:
        return {**super()._get_info(), "running": len(self._running)}

    def _resize(self, limit: int) -> None:
        self.limit = max(1, min(MAX_SLOTS, limit))
        self._loop.call_on_loop(self._hand_out)

    def _take(self, job: _Job) -> None:
        self._waiting.append(job)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and len(self._running) - self._count_in_line() < self.limit:
            job = self._waiting.popleft()
            self._running.add(job)
            job.task = self._loop.create_task(self._run(job))

    async def _run(self, job: _Job) -> None:
        try:
            await self._call(job)
        finally:
            self._running.discard(job)
            self._hand_out()

    async def _call(self, job: _Job) -> None:
        """Run a request and call what Celery waits for, as `celery.concurrency.base.apply_target` does."""
        job.on_accepted(os.getpid(), time.monotonic())
        limit = asyncio.timeout(job.limit_s)
        outcome: Callable[[], object]
        try:
            async with limit:
                outcome = partial(job.on_success, await self._trace(job))
        except Exception as error:  # noqa: BLE001  of the tracer, or a message that is to be rejected
            outcome = partial(job.on_failure, _info_of(error))
        except (SystemExit, KeyboardInterrupt) as error:
            outcome = partial(job.on_failure, _info_of(WorkerLostError(repr(error))))
        if job.is_terminated:
            return
        if job.limit_s and limit.expired():
            outcome = partial(job.on_timeout, False, job.limit_s)
        outcome()

    async def _trace(self, job: _Job) -> Any:
        """Return what Celery's tracer does."""
        tracer, arguments = job.call
        if not getattr(self.app.tasks[arguments[0]], "is_on_loop", False):
            return await asyncio.get_running_loop().run_in_executor(self._threads, tracer, *arguments)

        def interrupt() -> Exception:
            job.on_timeout(True, job.soft_limit_s or 0)
            error: Exception = SoftTimeLimitExceeded(job.soft_limit_s)
            return error

        return await self._loop.call(
            tracer, *arguments, interrupt_after_s=job.soft_limit_s, interruption=interrupt
        )

    async def _drain(self) -> None:
        """Wait for what runs, and give back what does not."""
        self._waiting.clear()
        while tasks := [job.task for job in self._running if job.task is not None]:
            await asyncio.wait(tasks)
        TAKEN.give_back()


def _info_of(error: Exception) -> ExceptionInfo:
    return ExceptionInfo((type(error), error, error.__traceback__))


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
        _run_on_loop(worker.app)
    if not _is_given("concurrency"):
        worker.concurrency = slots_for(queues, catalogue)
    if not _is_given("hostname"):
        worker.hostname = worker.hostname.replace("celery@", "-".join(queues) + "@", 1)
    # Workers exchange nothing: leases and health are in Redis.
    worker.options.update(without_gossip=True, without_mingle=True)


def _run_on_loop(app: Any) -> None:
    """Have messages read on the loop, and acknowledged when their tasks are over."""
    app.amqp.Consumer = LoopConsumer
    for task in app.tasks.values():
        task.acks_late = True
    # What runs when a connection is lost goes on, and counts as taken.
    app.conf.worker_enable_prefetch_count_reduction = False


def _is_given(parameter: str) -> bool:
    """Return whether the command line or the environment set a worker option."""
    context = click.get_current_context(silent=True)
    if context is None:
        return False
    return context.get_parameter_source(parameter) in (
        ParameterSource.COMMANDLINE,
        ParameterSource.ENVIRONMENT,
    )

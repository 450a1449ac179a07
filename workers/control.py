"""Tasks of queue `control`, driven by beat, and the watch over the YAML; never behind the tasks of a turn.

Each is a few lines: the work is in `dispatcher/control`. SQLAlchemy is imported where records are first
needed: 20 MB in a worker that keeps none would be for nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import cache, cached_property, wraps
from typing import TYPE_CHECKING, Any, Final

import structlog
from celery import current_task
from celery.signals import worker_init, worker_ready

from dispatcher import records
from dispatcher.catalogue import load_catalogue
from dispatcher.control import instance_rounds, tick_lock
from dispatcher.control.catalogue_watch import CatalogueWatch
from dispatcher.control.kpi_evaluation import KpiEvaluator
from dispatcher.control.memory_update import SUMMARY_TIMEOUT_S, UPDATE_BUDGET_S, MemoryUpdater
from dispatcher.control.metrics_sampling import MetricsSampler
from dispatcher.control.phrase_filling import PhraseFiller
from dispatcher.control.tuner import Tuner
from dispatcher.control.watched_file import WatchedFile
from dispatcher.control.webhook import Webhook
from dispatcher.errors import ConfigError, StateError
from dispatcher.messages import (
    ADJUST_WEIGHTS,
    CHECK_HEALTH,
    CONTROL_QUEUE,
    DRAIN_RECORDS,
    JUDGE_KPIS,
    KEEP_DEVICES,
    KEEP_RECORDS,
    REMEMBER,
    SAMPLE_METRICS,
    TUNE,
)
from dispatcher.pipeline.worker_context import WorkerContext, process_context
from dispatcher.settings import load_settings
from workers.celery import app
from workers.celery_ext.beat import PERIOD_HEADER
from workers.celery_ext.worker_control import CeleryWorkerControl

if TYPE_CHECKING:
    from dispatcher.control.device_archive import DeviceArchive
    from dispatcher.control.record_drain import RecordDrain

log = structlog.get_logger(__name__)

HEALTH_ROUND_TIMEOUT_S: Final = 20.0
KPI_TIMEOUT_S: Final = 5.0
WEIGHTS_TIMEOUT_S: Final = 10.0
TUNER_TIMEOUT_S: Final = 50.0
CONFIG_EXIT_CODE: Final = 2
NO_PACKAGES: Final = "the packages of the extra `records` are not installed"
_BUILD_LOCK: Final = threading.Lock()


class _ControlParts:
    """The parts of one control worker, made with its first task; those of SQL with the first record."""

    def __init__(self, context: WorkerContext) -> None:
        redis, settings, webhook = context.redis, context.settings, Webhook()
        self._context = context

        def catalogue() -> Any:
            return context.catalogue

        self.sampler = MetricsSampler(redis, settings.data_dir, settings.box_scope)
        self.evaluator = KpiEvaluator(redis, catalogue, self.sampler, webhook)
        self.memories = MemoryUpdater(
            redis=redis, router=context.router, providers=context.providers, catalogue=catalogue
        )
        self.phrases = PhraseFiller(redis=redis, phrases=context.phrases, catalogue=catalogue)
        self.tuner = Tuner(
            redis=redis,
            workers=CeleryWorkerControl(app),
            catalogue=catalogue,
            cache=context.cache,
            hook=settings.tuner_hook,
            time_scale=settings.tick_scale,
        )
        context.keep_running(webhook.deliver())

    @cached_property
    def drain(self) -> RecordDrain | None:
        """The drain of the records; None where none are kept."""
        if not records.is_installed():
            log.warning("records are not kept", reason=NO_PACKAGES)
            return None
        from dispatcher.control.record_drain import RecordDrain  # noqa: PLC0415  the module's docstring has why
        from dispatcher.records.store import Store  # noqa: PLC0415  likewise

        return RecordDrain(self._context, Store.at(self._context.settings.database))

    @cached_property
    def archive(self) -> DeviceArchive | None:
        """The archive of the devices; None where no records are kept."""
        if not records.is_installed():
            return None
        from dispatcher.control.device_archive import DeviceArchive  # noqa: PLC0415  likewise
        from dispatcher.records.store import Store  # noqa: PLC0415  likewise

        return DeviceArchive(self._context, Store.at(self._context.settings.database))


def _parts() -> _ControlParts:
    """Return the parts of this process, whichever of its threads asks first."""
    with _BUILD_LOCK:
        return _parts_of(os.getpid())


@cache
def _parts_of(_pid: int) -> _ControlParts:
    return _ControlParts(process_context())


def _run(work: Coroutine[Any, Any, object], *, timeout_s: float, failed: str) -> None:
    """Run a round on the loop; one that cannot reach Redis is logged, and tried again at the next tick."""
    try:
        process_context().run(work, timeout_s=timeout_s)
    except (StateError, TimeoutError) as error:
        log.warning(failed, reason=str(error))


def once_per_tick(task: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Wrap a task so that it takes its tick first, or does nothing.

    A task that was not sent by beat, but by hand or by a test, always runs.
    """

    def decorate(work: Callable[[], None]) -> Callable[[], None]:
        @wraps(work)
        def take_tick() -> None:
            headers = current_task.request.headers if current_task else None
            period_s = (headers or {}).get(PERIOD_HEADER)
            if period_s is None:
                work()
            else:
                tick_lock.run_in_tick(process_context(), task, float(period_s), work)

        return take_tick

    return decorate


@app.task(name=CHECK_HEALTH)
@once_per_tick(CHECK_HEALTH)
def check_health() -> None:
    """Check every instance."""
    context = process_context()
    work = instance_rounds.check_instances(context.redis, context.providers, context.catalogue)
    context.run(work, timeout_s=HEALTH_ROUND_TIMEOUT_S)


@app.task(name=ADJUST_WEIGHTS)
@once_per_tick(ADJUST_WEIGHTS)
def adjust_weights() -> None:
    """Let weights follow performance."""
    work = instance_rounds.adjust_weights(process_context().redis)
    _run(work, timeout_s=WEIGHTS_TIMEOUT_S, failed="weights not adjusted")


@app.task(name=JUDGE_KPIS)
@once_per_tick(JUDGE_KPIS)
def judge_kpis() -> None:
    """Evaluate the KPIs and move their alerts."""
    _run(_parts().evaluator.evaluate(), timeout_s=KPI_TIMEOUT_S, failed="KPIs not evaluated")


@app.task(name=SAMPLE_METRICS)
def sample_metrics() -> None:
    """Take a sample beside those of each evaluation."""
    _run(_parts().sampler.sample(), timeout_s=KPI_TIMEOUT_S, failed="no sample taken")


@app.task(name=TUNE)
@once_per_tick(TUNE)
def tune() -> None:
    """Take one step of the tuner."""
    tuner = _parts().tuner
    try:
        workers = tuner.workers.read_workers()
    except StateError as error:
        log.warning("no step of the tuner", reason=str(error))
        return
    _run(tuner.step(workers), timeout_s=TUNER_TIMEOUT_S, failed="no step of the tuner")


@app.task(name=REMEMBER)
@once_per_tick(REMEMBER)
def remember() -> None:
    """Update the memories that wait for it."""
    process_context().run(_parts().memories.update_due(), timeout_s=UPDATE_BUDGET_S + SUMMARY_TIMEOUT_S)


@app.task(name=DRAIN_RECORDS)
@once_per_tick(DRAIN_RECORDS)
def drain_records() -> None:
    """Bring what is in the stream of records to SQL."""
    if (drain := _parts().drain) is not None:
        drain.run_once()


@app.task(name=KEEP_DEVICES)
@once_per_tick(KEEP_DEVICES)
def keep_devices() -> None:
    """Archive the devices that changed; first restore what Redis lost."""
    if (archive := _parts().archive) is not None:
        archive.run_once()


@app.task(name=KEEP_RECORDS)
@once_per_tick(KEEP_RECORDS)
def keep_records() -> None:
    """Prune and optimise the records."""
    if records.is_installed():
        from dispatcher.records import retention  # noqa: PLC0415  the module's docstring has why

        retention.keep_up(process_context().settings.database)


@worker_init.connect
def check_database_url(sender: Any, **_: Any) -> None:
    """End a control worker whose DATABASE_URL is wrong: nothing of it would ever be kept."""
    if not _serves_control(sender) or not records.is_installed():
        return
    from dispatcher.records.address import parse  # noqa: PLC0415  the module's docstring has why

    try:
        parse(load_settings().database)
    except ConfigError as error:
        log.error("records have nowhere to go", problems=error.problems)  # noqa: TRY400  its text says it all
        raise SystemExit(CONFIG_EXIT_CODE) from error


@worker_ready.connect
def start_watches(sender: Any, **_: Any) -> None:
    """Watch the YAML and the requests to the tuner where this worker serves the control queue."""
    if not _serves_control(sender):
        return
    context = process_context()
    file = None
    if not context.settings.follows_redis:
        file = WatchedFile(context.settings.dispatcher_config, context.started_with)
        if not context.settings.config_chosen_at_s:  # else `dispatcher up` has logged its warnings
            with suppress(ConfigError):
                load_catalogue(context.settings.dispatcher_config)
    context.keep_running(CatalogueWatch(context.redis, context.router.active, file).run())
    context.keep_running(_parts().tuner.poll_requests())
    context.keep_running(_parts().phrases.run())


def _serves_control(worker: Any) -> bool:
    return CONTROL_QUEUE in worker.app.amqp.queues.consume_from

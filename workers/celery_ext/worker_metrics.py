"""Metrics that only this worker knows, on a port of their own where METRICS_PORT names one.

A thread of prometheus_client's serves them, so that a slow reader holds up no task.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

import structlog
from prometheus_client import (
    CollectorRegistry,
    Histogram,
    Metric,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from dispatcher.event_loop import LoopLag
from dispatcher.pipeline.loop_thread import LoopThread
from dispatcher.settings import Settings
from workers.celery_ext.taken import TakenMessages

log = structlog.get_logger()


# Picks between two scrapes; what a busy worker makes more is not in the histogram.
PICKS_KEPT: Final = 10_000
# One round trip to Redis and a script.
PICK_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


class WorkerCollector(Collector):
    """Metrics of one worker at a scrape."""

    def __init__(
        self, taken: TakenMessages, slots: Callable[[], int], lag: LoopLag, picks_s: deque[float]
    ) -> None:
        """Show these; `slots` returns how many tasks may run at once, `picks_s` is emptied by each scrape."""
        self._taken = taken
        self._slots = slots
        self._lag = lag
        self._picks_s = picks_s
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the series
        text = "From a worker's question for an instance to the answer of Redis."
        self._picks = Histogram("xiaozhi_worker_pick_seconds", text, buckets=PICK_BUCKETS, registry=None)

    def collect(self) -> Iterator[Metric]:
        """Yield each metric; those of the taken tasks only where they are counted."""
        while self._picks_s:
            self._picks.observe(self._picks_s.popleft())
        yield from self._picks.collect()
        yield _gauge("slots", "Tasks that may run at once, now.", self._slots())
        yield _gauge(
            "loop_lag_seconds", "Longest lag of the event loop since the last scrape.", self._lag.take()
        )
        if not self._taken.worker:
            return
        yield _gauge("tasks_in_hand", "Tasks taken and not finished.", self._taken.in_hand)
        yield CounterMetricFamily("xiaozhi_worker_tasks_taken", "Tasks taken.", value=self._taken.total)


def serve_metrics(
    settings: Settings,
    loop: LoopThread,
    taken: TakenMessages,
    slots: Callable[[], int],
    picks_s: deque[float],
) -> None:
    """Serve `/metrics` at METRICS_HOST and METRICS_PORT for the life of the process.

    A port that cannot be had is an error in the log: tasks are taken all the same.
    """
    lag = LoopLag()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(WorkerCollector(taken, slots, lag, picks_s))
    ProcessCollector(registry=registry)
    host, port = settings.metrics_host, settings.metrics_port
    try:
        start_http_server(port, host, registry)
    except OSError as error:
        said = {"METRICS_HOST": host, "METRICS_PORT": port, "reason": str(error)}
        log.error("metrics are not served", **said)  # noqa: TRY400  the reason says it all
    else:
        loop.keep_running(lag.watch())


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"xiaozhi_worker_{name}", text, value=float(value))

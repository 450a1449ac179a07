"""Gauges of one snapshot, and counters that Redis itself holds, as Prometheus reads them.

A value that is not known has no sample, which is not 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Final, NamedTuple, get_args

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from dispatcher import __version__
from dispatcher.console.snapshot import ConsoleSnapshot
from dispatcher.console.store_probe import StoreAnswer
from dispatcher.messages import QUEUES
from dispatcher.routing.overview import InstanceView, State

_PHASES: Final = ("ok", "pending", "firing", "resolved")
_ORIGINS: Final = ("ours", "theirs", "caller")
Labels = tuple[str, ...]
Sample = tuple[Labels, float | None]


class _Row(NamedTuple):
    """One metric of a snapshot: its name without the prefix, help, labels, and its samples."""

    name: str
    text: str
    labels: Labels
    samples: Callable[[ConsoleSnapshot], Iterable[Sample]]
    is_counter: bool = False


class SnapshotCollector(Collector):
    """Metrics of one scrape; without a snapshot they show that Redis is unreachable, and no more of it."""

    def __init__(self, snapshot: ConsoleSnapshot | None, store: StoreAnswer | None) -> None:
        """Show these."""
        self._snapshot = snapshot
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its samples."""
        yield _gauge("build_info", "The version that runs.", ("version",), [((__version__,), 1)])
        up = float(self._snapshot is not None)
        yield _gauge("redis_up", "Whether the shared Redis answered this scrape.", (), [((), up)])
        if self._store is not None:
            took_s = self._store.took_s
            yield _gauge("sql_up", "Whether the store of records answers.", (), [((), took_s is not None)])
            yield _gauge("sql_answer_seconds", "How long a question to it takes.", (), [((), took_s)])
        if self._snapshot is None:
            return
        for row in _ROWS:
            samples = row.samples(self._snapshot)
            make = _counter if row.is_counter else _gauge
            yield make(row.name, row.text, row.labels, samples)


def _gauge(name: str, text: str, labels: Labels, samples: Iterable[Sample]) -> Metric:
    return _filled(GaugeMetricFamily(f"xiaozhi_{name}", text, labels=labels), samples)


def _counter(name: str, text: str, labels: Labels, samples: Iterable[Sample]) -> Metric:
    return _filled(CounterMetricFamily(f"xiaozhi_{name}", text, labels=labels), samples)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, samples: Iterable[Sample]) -> Metric:
    for labels, value in samples:
        if value is not None:
            family.add_metric(labels, float(value))
    return family


def _of_instances(
    name: str, text: str, value: Callable[[InstanceView], float | None], *, is_counter: bool = False
) -> _Row:
    def samples(snapshot: ConsoleSnapshot) -> Iterator[Sample]:
        for each in snapshot.overview.instances:
            yield (each.service, each.name), value(each)

    return _Row(f"instance_{name}", text, ("service", "instance"), samples, is_counter)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _states(snapshot: ConsoleSnapshot) -> Iterator[Sample]:
    for each in snapshot.overview.instances:
        for state in get_args(State):
            yield (each.service, each.name, state), float(each.state == state)


def _errors(snapshot: ConsoleSnapshot) -> Iterator[Sample]:
    for each in snapshot.overview.instances:
        for origin in _ORIGINS:
            yield (each.service, each.name, origin), getattr(each, f"errors_{origin}")


def _kpi_phases(snapshot: ConsoleSnapshot) -> Iterator[Sample]:
    for status in snapshot.kpis.standings if snapshot.kpis else ():
        for phase in _PHASES:
            yield (status.kpi.name, phase), float(status.alert.phase == phase)


def _of_kpis(name: str, text: str, attribute: str) -> _Row:
    def samples(snapshot: ConsoleSnapshot) -> Iterator[Sample]:
        for status in snapshot.kpis.standings if snapshot.kpis else ():
            yield (status.kpi.name, status.kpi.unit), getattr(status.kpi, attribute)

    return _Row(name, text, ("kpi", "unit"), samples)


def _devices(snapshot: ConsoleSnapshot) -> Iterator[Sample]:
    for state in ("connected", "busy"):
        field = "devices" if state == "connected" else state
        yield (state,), sum(getattr(front, field) for front in snapshot.fronts.values())


def _processes(attribute: str) -> Callable[[ConsoleSnapshot], Iterator[Sample]]:
    def samples(snapshot: ConsoleSnapshot) -> Iterator[Sample]:
        used: dict[str, float] = {}
        for each in snapshot.kpis.processes if snapshot.kpis else ():
            used[each.name] = used.get(each.name, 0) + (getattr(each, attribute) or 0)
        yield from (((name,), value) for name, value in used.items())

    return samples


def _of_phrases(name: str, text: str, attribute: str, *, is_counter: bool = False) -> _Row:
    value = attrgetter(attribute)
    samples = _one(lambda each: value(each.phrases) if each.phrases else None)
    return _Row(f"phrase_cache_{name}", text, (), samples, is_counter)


def _of_speculation(name: str, text: str) -> _Row:
    value = attrgetter(name)
    return _Row(f"speculation_{name}", text, (), _one(lambda each: value(each.speculation)), is_counter=True)


def _one(value: Callable[[ConsoleSnapshot], float | None]) -> Callable[[ConsoleSnapshot], list[Sample]]:
    return lambda snapshot: [((), value(snapshot))]


_ROWS: Final = (
    _Row(
        "instance_state", "1 for the state that an instance is in.", ("service", "instance", "state"), _states
    ),
    _of_instances("weight", "Share of the calls, as configured.", lambda each: each.weight),
    _of_instances("effective_weight", "Share as a pick uses it now.", lambda each: each.effective_weight),
    _of_instances("in_flight", "Leases held now.", lambda each: each.in_flight),
    _of_instances("cap", "Leases at most, now.", lambda each: each.cap),
    _of_instances("latency_seconds", "Peak EWMA of calls.", lambda each: _seconds(each.latency_ewma_ms)),
    _of_instances(
        "latency_p95_seconds", "Of the last 100 calls.", lambda each: _seconds(each.latency_p95_ms)
    ),
    _of_instances("error_ratio", "Recent share of calls that failed.", lambda each: each.error_ratio),
    _of_instances("cpu_ratio", "As it says of itself.", lambda each: each.cpu_ratio),
    _of_instances("memory_ratio", "As it says of itself.", lambda each: each.memory_ratio),
    _of_instances("calls", "Calls that ended.", lambda each: each.calls, is_counter=True),
    _of_instances("ejections", "Ejections for failed calls.", lambda each: each.ejections, is_counter=True),
    _Row(
        "instance_errors",
        "Calls that failed, by whose fault it was.",
        ("service", "instance", "origin"),
        _errors,
        is_counter=True,
    ),
    _Row(
        "waiting_calls",
        "Calls that wait for a free slot.",
        ("service",),
        lambda each: [((view.service,), view.waiting) for view in each.overview.services],
    ),
    _Row(
        "queue_depth",
        "Messages that wait in a queue.",
        ("queue",),
        lambda each: [((queue,), depth) for queue, depth in each.overview.queues.items()],
    ),
    _Row(
        "queue_oldest_age_seconds",
        "Age of the message that waits longest.",
        ("queue",),
        lambda each: [((queue,), age_s) for queue, age_s in each.oldest_age_s.items()],
    ),
    _Row(
        "queue_wait_seconds",
        "How long the last canary waited.",
        ("queue",),
        lambda each: [((canary.queue,), _seconds(canary.delay_ms)) for canary in each.canaries],
    ),
    _Row(
        "queue_consumed",
        "Whether a canary was taken within three periods.",
        ("queue",),
        lambda each: [((canary.queue,), canary.is_consumed) for canary in each.canaries],
    ),
    _Row(
        "workers",
        "Worker processes that show life.",
        ("queue",),
        lambda each: [((queue,), each.workers.get(queue, 0)) for queue in QUEUES],
    ),
    _Row(
        "queue_slots",
        "Tasks that the workers of a queue run at once.",
        ("queue",),
        lambda each: [((queue,), each.pools.get(queue, 0)) for queue in QUEUES],
    ),
    _Row("fronts", "Fronts that show life.", (), _one(lambda each: len(each.fronts))),
    _Row("devices", "Devices over all fronts.", ("state",), _devices),
    _Row(
        "overload_step",
        "Highest step of overload that a front has taken, 0 to 5.",
        (),
        _one(lambda each: max((front.overload_step for front in each.fronts.values()), default=0)),
    ),
    _Row(
        "overload_line_seconds",
        "Longest line at the services that a front sees.",
        (),
        _one(lambda each: max((front.line_ms for front in each.fronts.values()), default=0) / 1000),
    ),
    _Row(
        "turns_in_progress",
        "Turns under way over all fronts.",
        (),
        _one(lambda each: sum(front.in_turn for front in each.fronts.values())),
    ),
    _of_kpis("kpi_value", "A KPI as last evaluated, in its unit.", "value"),
    _of_kpis("kpi_target", "Good up to here.", "target"),
    _of_kpis("kpi_alert_bound", "An alert above this.", "alert"),
    _Row("kpi_state", "1 for the phase of a KPI's alert.", ("kpi", "phase"), _kpi_phases),
    _Row(
        "kpi_evaluated_timestamp_seconds",
        "Unix time of the evaluation.",
        (),
        _one(lambda each: each.kpis.judged_at_s if each.kpis else None),
    ),
    _Row("process_cpu_ratio", "Share of the control worker's host.", ("process",), _processes("cpu_ratio")),
    _Row("process_memory_bytes", "Resident memory there.", ("process",), _processes("memory_bytes")),
    _of_phrases("hits", "Phrases that no TTS call had to speak.", "hits", is_counter=True),
    _of_phrases("misses", "Phrases that were looked up and not there.", "misses", is_counter=True),
    _of_phrases("evictions", "Phrases put out to make room.", "evicted", is_counter=True),
    _of_phrases("bytes", "Packets that are kept.", "used_bytes"),
    _of_phrases("saved_seconds", "TTS time that recent hits saved.", "saved_s"),
    _of_speculation("started", "Turns begun at a pause."),
    _of_speculation("committed", "Those of them whose pause was the end of speech."),
    _of_speculation("wasted", "LLM calls that were made in vain."),
    _of_speculation("calls", "Turns that an LLM answered while it was on."),
    _Row("redis_memory_bytes", "Memory of the Redis.", (), _one(lambda each: each.memory.used_bytes)),
    _Row("redis_memory_limit_bytes", "0 is no limit.", (), _one(lambda each: each.memory.limit_bytes)),
    _Row("redis_read_seconds", "How long this scrape took to read it.", (), _one(lambda each: each.took_s)),
    _Row(
        "records_backlog",
        "Records that are not in SQL yet.",
        (),
        _one(lambda each: each.records.backlog if each.records else 0),
    ),
    _Row(
        "records_dropped",
        "Records that the stream's bound cost, since it was made.",
        (),
        _one(lambda each: each.records.dropped if each.records else 0),
        is_counter=True,
    ),
)

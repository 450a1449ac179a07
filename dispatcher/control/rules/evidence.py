"""Evidence of the tuner at one moment. None means unknown: no decision rests on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from statistics import median
from typing import Final, Literal, TypeAlias, get_args

from dispatcher.messages import Priority, Service

Cause: TypeAlias = Literal["errors", "memory", "response", "cpu"]
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The four numbers that the rules compare, one for each cause.

    Attributes:
        errors: share of calls or turns that failed, 0..1.
        memory: share of the host's memory in use, 0..1; of the container's limit where there is one.
        response: from the end of speech to the first audio, ms.
        cpu: share of the host's CPU in use, 0..1.
    """

    errors: float | None = None
    memory: float | None = None
    response: float | None = None
    cpu: float | None = None

    def of(self, cause: Cause) -> float | None:
        """Return the number of a cause."""
        value: float | None = getattr(self, cause)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The four numbers at a moment, as the history keeps them."""

    at_s: float
    measures: Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceEvidence:
    """One instance.

    Attributes:
        is_local: it runs on this host, so that its work is the host's load.
        cap: most calls at once as configured; cap_limit: what the tuner lowered that to; is_cap_held: an
            operator holds another one, over both.
        priority: as configured; priority_override: what the tuner made of it.
        error_ratio: share of its calls that failed in the window; None without calls.
    """

    service: Service
    name: str
    is_local: bool
    is_usable: bool
    cap: int
    cap_limit: int | None = None
    is_cap_held: bool = False
    priority: Priority = "normal"
    priority_override: Priority | None = None
    in_flight: int = 0
    latency_ms: float | None = None
    error_ratio: float | None = None

    @property
    def cap_now(self) -> int:
        """Most calls at once now."""
        return self.cap if self.cap_limit is None else min(self.cap, self.cap_limit)

    @property
    def priority_now(self) -> Priority:
        """Priority that a pick uses."""
        return self.priority_override or self.priority


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEvidence:
    """One worker process, as it answers `inspect stats`.

    Attributes:
        name: node name, such as "llm@host".
        pool: tasks that it runs at once.
        memory_bytes: most that it ever held in memory; None where it is unknown.
    """

    name: str
    queue: str
    pool: int
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operable:
    """What can be done to instances here, by the supervisor that keeps them or by the operator's hook.

    Attributes:
        growable: services that can have one more instance.
        restartable: instances that can be restarted, as `service/instance`.
        can_throttle: instances of this host can be given less of its CPU.
    """

    growable: frozenset[str] = frozenset()
    restartable: frozenset[str] = frozenset()
    can_throttle: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseEvidence:
    """The phrase cache.

    Attributes:
        max_mb: its budget as configured; extra_mb: what the tuner added to that.
        used_mb: kept now.
        evicted_mb: put out lately to make room.
        saved_s_per_mb: what a megabyte of it is worth: seconds of TTS calls that its recent hits saved.
    """

    max_mb: float
    extra_mb: float = 0.0
    used_mb: float = 0.0
    evicted_mb: float = 0.0
    saved_s_per_mb: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerEvidence:
    """Evidence of one moment.

    Attributes:
        calls: on how many calls and turns they rest.
        queued: tasks that wait, by queue.
        devices: connected to the busiest front; None where no front reports.
        device_limit: what the tuner lets in at most at each front; None without a limit of its own.
        reply_kept_s: for how long fronts keep replies that they have read; None as configured.
        extra_workers: processes beside those of the Procfile, by queue.
        extra_instances: instances beside those of the YAML, by service.
        is_throttled: instances of this host are given less of its CPU.
        operable: what can be done to instances here.
        phrases: the phrase cache; None where it is off or out of reach.
        supervised: `dispatcher up` runs here and starts what ends.
        missing: kinds of action that cannot act here, with the reason.
    """

    at_s: float
    calls: int = 0
    measures: Measures
    instances: tuple[InstanceEvidence, ...] = ()
    workers: tuple[WorkerEvidence, ...] = ()
    queued: tuple[tuple[str, int], ...] = ()
    devices: int | None = None
    device_limit: int | None = None
    reply_kept_s: float | None = None
    extra_workers: tuple[tuple[str, int], ...] = ()
    extra_instances: tuple[tuple[str, int], ...] = ()
    is_throttled: bool = False
    operable: Operable = field(default_factory=Operable)
    phrases: PhraseEvidence | None = None
    supervised: bool = False
    missing: tuple[tuple[str, str], ...] = ()

    def queue_length(self, queue: str) -> int:
        """Return how many tasks wait in a queue."""
        return dict(self.queued).get(queue, 0)

    def pool_of(self, queue: str) -> int:
        """Return how many tasks of a queue run at once, over all of its workers."""
        return sum(worker.pool for worker in self.workers if worker.queue == queue)

    def slots_of(self, service: str) -> int:
        """Return how many calls the instances of a service take at once now."""
        return sum(each.cap_now for each in self.instances if each.service == service and each.is_usable)


def median_of(samples: Sequence[Sample]) -> Measures:
    """Return the median of each number over some samples; None where no sample knows it."""
    known = {
        one.name: [value for each in samples if (value := getattr(each.measures, one.name)) is not None]
        for one in fields(Measures)
    }
    return Measures(**{name: median(values) if values else None for name, values in known.items()})

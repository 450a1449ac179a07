"""Events of the fleet: ejections, returns, reloads, restarts, canaries; each snapshot against the last."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dispatcher.console.snapshot import ConsoleSnapshot
from dispatcher.percentile import percentile
from dispatcher.routing.overview import InstanceView
from dispatcher.telemetry.canaries import CanaryView

EVENTS_SHOWN: Final = 60
# Of each queue; one comes every few seconds.
CANARIES_REMEMBERED: Final = 60
OUT_OF_SERVICE: Final = frozenset({"ejected", "down", "failing", "draining", "not configured", "leaving"})

Event = dict[str, Any]


class FleetEvents:
    """Events since the console started, newest first, and how long the last canaries waited."""

    def __init__(self) -> None:
        """Know nothing; the first snapshot is only what later ones are compared with."""
        self._events: deque[Event] = deque(maxlen=EVENTS_SHOWN)
        self._before: ConsoleSnapshot | None = None
        self._out_since_s: dict[str, float] = {}
        self._waits_ms: defaultdict[str, deque[float]] = defaultdict(
            lambda: deque(maxlen=CANARIES_REMEMBERED)
        )

    def observe(self, snapshot: ConsoleSnapshot, *, at_s: float | None = None) -> None:
        """Note what changed since the last snapshot."""
        now_s = time.time() if at_s is None else at_s
        before, self._before = self._before, snapshot
        self._add_canaries(before.canaries if before else (), snapshot.canaries)
        if before is None:
            self._out_since_s = {each.name: now_s for each in snapshot.overview.instances if _is_out(each)}
            return
        found = (*self._of_instances(before, snapshot, now_s), *_of_processes(before, snapshot))
        for event in found:
            self._events.appendleft({"at_s": round(now_s, 1), **event})

    def queue_wait_p95_ms(self) -> dict[str, float | None]:
        """Return how long canaries waited in their queue, of the last that were seen."""
        return {queue: percentile(waits, 0.95) for queue, waits in self._waits_ms.items()}

    def _add_canaries(self, before: Iterable[CanaryView], now: Iterable[CanaryView]) -> None:
        """Remember the waits of canaries that were taken since: the last one of a queue is a younger one."""
        ages_s = {each.queue: each.consumed_s_ago for each in before}
        for each in now:
            if each.delay_ms is None or each.consumed_s_ago is None:
                continue
            age_s = ages_s.get(each.queue)
            if age_s is None or each.consumed_s_ago < age_s:
                self._waits_ms[each.queue].append(each.delay_ms)

    def newest(self) -> list[Event]:
        """Return the events, newest first."""
        return list(self._events)

    def _of_instances(
        self, before: ConsoleSnapshot, snapshot: ConsoleSnapshot, now_s: float
    ) -> Iterator[Event]:
        known = {each.name: each for each in before.overview.instances}
        for each in snapshot.overview.instances:
            earlier = known.get(each.name)
            if earlier is not None:
                yield from self._of_instance(earlier, each, now_s)

    def _of_instance(self, earlier: InstanceView, now: InstanceView, now_s: float) -> Iterator[Event]:
        subject = {"service": now.service, "subject": now.name}
        if _is_out(now) and (not _is_out(earlier) or now.state != earlier.state):
            self._out_since_s.setdefault(now.name, now_s)
            yield {**subject, "kind": now.state, "reason": now.last_reason, "failover_s": _failover_s(now)}
        elif now.ejections > earlier.ejections and not _is_out(now):  # it came and went between two looks
            yield {**subject, "kind": "ejected", "reason": now.last_reason, "failover_s": _failover_s(now)}
        if _is_out(earlier) and not _is_out(now):
            since_s = self._out_since_s.pop(now.name, now_s)
            yield {**subject, "kind": "back", "lasted_s": round(now_s - since_s, 1)}


def _is_out(instance: InstanceView) -> bool:
    return instance.state in OUT_OF_SERVICE


def _failover_s(instance: InstanceView) -> float | None:
    """Return the time from the first to the last failed call of the fault: later ones went elsewhere."""
    if instance.state != "ejected" or instance.fault_began_at_s is None or instance.fault_at_s is None:
        return None
    return round(instance.fault_at_s - instance.fault_began_at_s, 3)


def _of_processes(before: ConsoleSnapshot, snapshot: ConsoleSnapshot) -> Iterator[Event]:
    if snapshot.revision != before.revision and before.revision:
        yield {"kind": "reloaded", "subject": f"revision {snapshot.revision}"}
    yield from _came_and_went("worker", before.worker_ids, snapshot.worker_ids)
    fronts = [{front_id: front_id for front_id in each.fronts} for each in (before, snapshot)]
    yield from _came_and_went("front", *fronts)


def _came_and_went(what: str, before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Event]:
    for process_id in now.keys() - before.keys():
        yield {"kind": f"{what} started", "subject": now[process_id]}
    for process_id in before.keys() - now.keys():
        yield {"kind": f"{what} ended", "subject": before[process_id]}

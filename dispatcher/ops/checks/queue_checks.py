"""Checks of phase 2: consumed queues, caps that hold, a broker that loses nothing, records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dispatcher.messages import CONTROL_QUEUE, SERVICES
from dispatcher.ops.checks.deployment_snapshot import Snapshot
from dispatcher.ops.checks.finding import Finding, age_text, judged, not_applicable

SAFE_POLICIES: Final = ("noeviction", "volatile-lru", "volatile-lfu", "volatile-ttl", "volatile-random")
# As in workers/celery_ext/pools.py: a queue with few slots has a few threads to spare.
FEWEST_SLOTS: Final = 4

# Five seconds of turns for one Redis; a front that counts its own devices may allow more.
LONG_QUEUE: Final = 500


def consumed(snapshot: Snapshot) -> Iterator[Finding]:
    """Check the age of the last canary of each queue."""
    for canary in snapshot.canaries:
        waited = "" if canary.delay_ms is None else f", after {canary.delay_ms:.0f} ms in the queue"
        period = f"every {canary.period_s:g} s" if canary.period_s else "every 5 s"
        yield judged(
            f"queue {canary.queue} consumed",
            good=canary.is_consumed,
            saw=f"canary taken {age_text(canary.consumed_s_ago)}{waited}",
            expected=f"{period}, three in a row may be missed",
        )


def short_queues(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that tasks do not pile up."""
    limit = snapshot.scope.settings.queue_limit or LONG_QUEUE
    lengths = snapshot.overview.queues
    yield judged(
        "queues are short",
        good=all(length < limit for length in lengths.values()),
        saw=", ".join(f"{queue} {length}" for queue, length in lengths.items()),
        expected=f"below {limit} (QUEUE_LIMIT)",
    )


def control_apart(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that no full queue of turns can starve the control queue."""
    busy = {worker.process for worker in snapshot.workers if worker.queue in SERVICES}
    control = [worker.process for worker in snapshot.workers if worker.queue == CONTROL_QUEUE]
    apart = [process for process in control if process not in busy]
    yield judged(
        "control has its own worker",
        good=bool(apart),
        saw=f"{', '.join(control) or 'none'}; {len(apart)} serve nothing else",
        expected="a worker with -Q control alone",
    )


def caps(snapshot: Snapshot) -> Iterator[Finding]:
    """Compare the leases of this moment with the caps."""
    over = [one for one in snapshot.overview.instances if one.in_flight > one.cap]
    shown = over or snapshot.overview.instances
    yield judged(
        "caps are kept",
        good=not over,
        saw=", ".join(f"{one.name} {one.in_flight}/{one.cap}" for one in shown) or "no instance",
        expected="no instance above its max_concurrent",
    )


def pool_sizes(snapshot: Snapshot) -> Iterator[Finding]:
    """Compare how many tasks the workers run at once with the slots of the instances."""
    for service in SERVICES:
        workers = [worker for worker in snapshot.workers if worker.queue == service]
        name = f"{service} pool"
        if snapshot.catalogue is None or not workers:
            yield judged(name, good=False, saw="no worker", expected="a worker for the queue")
            continue
        slots = snapshot.catalogue.services[service].slots
        threads = sum(worker.slots for worker in workers)
        yield judged(
            name,
            good=threads >= max(FEWEST_SLOTS, slots) if threads else False,
            saw=f"{threads} tasks at once in {len(workers)} worker{'s' if len(workers) > 1 else ''}",
            expected=f"{max(FEWEST_SLOTS, slots)} or more: the instances have {slots} slots",
        )


def broker(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that the broker's memory is bounded, and that the bound costs no task."""
    info = snapshot.redis
    policy, most = info.get("maxmemory_policy", "unknown"), int(info.get("maxmemory", 0))
    yield judged(
        "broker evicts no task",
        good=policy in SAFE_POLICIES,
        saw=policy,
        expected="noeviction or volatile-*: allkeys-* drops queued tasks",
    )
    used = int(info.get("used_memory", 0))
    yield judged(
        "broker's memory is bounded",
        good=most > 0 and used < 0.9 * most,
        saw=f"{used / 1e6:.0f} MB of {most / 1e6:.0f} MB" if most else f"{used / 1e6:.0f} MB, no maxmemory",
        expected="maxmemory is set, and less than 90 % of it is used",
    )


def records(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that the store of records is reachable and up to date."""
    seen = snapshot.records
    if seen.problem:
        yield judged("records", good=False, saw=seen.problem, expected="the store answers (DATABASE_URL)")
        return
    yield judged(
        "records",
        good=seen.version == seen.newest,
        saw=f"{seen.where}: version {seen.version}, {seen.turns} turns",
        expected=f"version {seen.newest}: the control worker or `dispatcher records upgrade` brings it",
    )


def beat(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that beat sends its schedule."""
    ages = [each.consumed_s_ago for each in snapshot.canaries if each.consumed_s_ago is not None]
    if not ages:
        yield judged("beat ticks", good=False, saw="no canary ever", expected="`celery -A workers beat` runs")
        return
    period_s = max(each.period_s or 0 for each in snapshot.canaries)
    yield judged(
        "beat ticks",
        good=min(ages) <= 3 * period_s,
        saw=f"last tick seen {age_text(min(ages))}",
        expected=f"a canary every {period_s:g} s",
    )


def cache(snapshot: Snapshot) -> Iterator[Finding]:
    """Report whether phrases and utterance audio have a Redis of their own."""
    settings = snapshot.scope.settings
    if settings.cache == settings.redis_url:
        yield not_applicable("cache apart", "the broker's Redis holds it too", "CACHE_URL for larger sites")
    else:
        yield judged("cache apart", good=True, saw="a Redis of its own", expected="CACHE_URL")

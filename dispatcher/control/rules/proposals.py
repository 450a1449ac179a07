"""The single remedies, each bounded; a remedy that has no room left proposes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from dispatcher.control.rules.actions import Action, Change, Kind, Proposal
from dispatcher.control.rules.evidence import Cause, InstanceEvidence, TunerEvidence
from dispatcher.control.rules.symptoms import limit
from dispatcher.messages import SERVICES

SMALLEST_POOL: Final = 4
LARGEST_POOL: Final = 256
FEWEST_DEVICES: Final = 5
SHORT_REPLY_KEPT_S: Final = 1.0
MOST_EXTRA_WORKERS: Final = 2
# An instance this much slower than the quickest of its service is worth leaving.
SLOWER_BY: Final = 2.0


def lower_cap(cause: Cause, instance: InstanceEvidence, *, keep: float, why: str) -> Iterator[Proposal]:
    """Let an instance have fewer calls at once, never less than one."""
    after = max(1, int(instance.cap_now * keep))
    if after < instance.cap_now:
        name = f"{instance.service}/{instance.name}"
        yield _set(cause, "cap", name, Change(what=name, before=instance.cap_limit, after=after), why=why)


def shrink_pools(cause: Cause, evidence: TunerEvidence) -> Iterator[Proposal]:
    """Let the largest pool run a quarter fewer tasks at once."""
    for queue in sorted(SERVICES, key=lambda each: -evidence.pool_of(each)):
        before = evidence.pool_of(queue)
        after = max(SMALLEST_POOL, before * 3 // 4)
        if after < before:
            change = Change(what=queue, before=before, after=after)
            yield _set(cause, "pool", queue, change, why=f"{before} tasks of {queue} may run at once")
            return


def grow_pools(cause: Cause, evidence: TunerEvidence) -> Iterator[Proposal]:
    """Let more tasks of a queue run where they wait although instances have room."""
    for queue in sorted(SERVICES, key=lambda each: -evidence.queue_length(each)):
        queued, before = evidence.queue_length(queue), evidence.pool_of(queue)
        after = min(LARGEST_POOL, evidence.slots_of(queue), before + max(2, before // 2))
        if queued and 0 < before < after:
            why = f"{queued} tasks wait, {before} run at once, instances take {evidence.slots_of(queue)}"
            yield _set(cause, "pool", queue, Change(what=queue, before=before, after=after), why=why)


def lower_admission(cause: Cause, evidence: TunerEvidence) -> Iterator[Proposal]:
    """Let no more devices in than are there now, less a tenth; those that are in stay."""
    if evidence.devices is None:
        return
    after = max(FEWEST_DEVICES, evidence.devices * 9 // 10)
    if evidence.device_limit is None or after < evidence.device_limit:
        change = Change(what="max_devices", before=evidence.device_limit, after=after)
        yield _set(cause, "admission", "fronts", change, why=f"{evidence.devices} devices are connected")


def shorten_buffer(cause: Cause, evidence: TunerEvidence) -> Iterator[Proposal]:
    """Let fronts drop audio that they have read after a second."""
    if evidence.reply_kept_s is None:
        change = Change(what="reply_kept_s", before=None, after=SHORT_REPLY_KEPT_S)
        yield _set(cause, "buffer", "fronts", change, why="audio that was read is kept in Redis")


def restart_heaviest(cause: Cause, evidence: TunerEvidence) -> Iterator[Proposal]:
    """Drain and restart the worker that holds most memory, where its queue stays served, or soon is again."""
    weighed = [worker for worker in evidence.workers if worker.memory_bytes and worker.queue in SERVICES]
    if not weighed:
        return
    worker = max(weighed, key=lambda each: each.memory_bytes or 0)
    others = [each for each in evidence.workers if each.queue == worker.queue and each != worker]
    if others or evidence.supervised:
        megabytes = (worker.memory_bytes or 0) / 1e6
        action = Action(kind="restart", target=worker.name)
        yield Proposal(
            cause=cause, action=action, why=f"it has held {megabytes:.0f} MB, the most of all workers"
        )


def add_worker(cause: Cause, evidence: TunerEvidence) -> Iterator[Proposal]:
    """Start one more process for the queue where most tasks wait; only a supervisor can."""
    queue = max(SERVICES, key=evidence.queue_length)
    before = dict(evidence.extra_workers).get(queue, 0)
    if evidence.supervised and evidence.queue_length(queue) and before < MOST_EXTRA_WORKERS:
        change = Change(what=queue, before=before, after=before + 1)
        why = f"{evidence.queue_length(queue)} tasks wait"
        yield _set(cause, "worker", queue, change, why=why)


def tidy_records(cause: Cause) -> Iterator[Proposal]:
    """Prune the SQL records and rebuild their statistics."""
    yield Proposal(cause=cause, action=Action(kind="records", target="sql"), why="upkeep is cheap")


def prefer_backup(
    cause: Cause, failing: InstanceEvidence, evidence: TunerEvidence, *, why: str
) -> Iterator[Proposal]:
    """Use an instance last and the best of the others first."""
    others = [each for each in _usable(evidence, failing.service) if each.name != failing.name]
    if others and failing.priority_now not in {"low", "standby"}:
        best = min(others, key=lambda each: (each.error_ratio or 0.0, each.latency_ms or 0.0))
        yield _prefer(cause, first=[best], last=[failing], why=why)


def prefer_local(cause: Cause, evidence: TunerEvidence) -> Iterator[Proposal]:
    """Use the box's own instances first where those elsewhere are slower."""
    for service in SERVICES:
        usable = _usable(evidence, service)
        near = [each for each in usable if each.is_local and not _fails(each)]
        far = [each for each in usable if not each.is_local and each.priority_now != "low"]
        quickest = min((each.latency_ms for each in near if each.latency_ms), default=None)
        slowest = max((each.latency_ms for each in far if each.latency_ms), default=None)
        if quickest and slowest and slowest > quickest:
            why = f"{slowest:.0f} ms elsewhere, {quickest:.0f} ms here"
            yield _prefer(cause, first=near, last=far, why=why)


def prefer_elsewhere(cause: Cause, evidence: TunerEvidence) -> Iterator[Proposal]:
    """Use instances elsewhere first, so that this box has less to do; last of all where work is done here."""
    for service in SERVICES:
        usable = _usable(evidence, service)
        near = [each for each in usable if each.is_local and each.in_flight and each.priority_now != "low"]
        far = [each for each in usable if not each.is_local and not _fails(each)]
        if near and far:
            calls = sum(each.in_flight for each in near)
            yield _prefer(cause, first=far, last=near, why=f"{calls} {service} calls are worked on here")


def leave_slow(cause: Cause, evidence: TunerEvidence) -> Iterator[Proposal]:
    """Use an instance last that takes twice as long as the quickest of its service."""
    for service in SERVICES:
        timed = [each for each in _usable(evidence, service) if each.latency_ms]
        if len(timed) > 1:
            slow = max(timed, key=lambda each: each.latency_ms or 0)
            quick = min(each.latency_ms or 0 for each in timed)
            if (slow.latency_ms or 0) > SLOWER_BY * quick:
                why = f"{slow.name} takes {slow.latency_ms:.0f} ms, the quickest {quick:.0f} ms"
                yield from prefer_backup(cause, slow, evidence, why=why)
                yield from lower_cap(cause, slow, keep=0.5, why=why)


def worst_failing(evidence: TunerEvidence) -> InstanceEvidence | None:
    """Return the instance with the largest share of errors over the limit, or None."""
    failing = [each for each in evidence.instances if _fails(each)]
    return max(failing, key=lambda each: each.error_ratio or 0.0, default=None)


def _fails(instance: InstanceEvidence) -> bool:
    return (instance.error_ratio or 0.0) > limit("errors")


def _usable(evidence: TunerEvidence, service: str) -> list[InstanceEvidence]:
    """Return those that a change may prefer; one that stands by is no match for those it stands by for."""
    candidates = [each for each in evidence.instances if each.service == service and each.is_usable]
    return [each for each in candidates if each.priority != "standby"]


def _prefer(
    cause: Cause, *, first: Sequence[InstanceEvidence], last: Sequence[InstanceEvidence], why: str
) -> Proposal:
    wanted = [(each, "high") for each in first] + [(each, "low") for each in last]
    changes = tuple(
        Change(what=f"{each.service}/{each.name}", before=each.priority_override, after=priority)
        for each, priority in wanted
        if each.priority_now != priority
    )
    return Proposal(
        cause=cause, action=Action(kind="prefer", target=last[0].service, changes=changes), why=why
    )


def _set(cause: Cause, kind: Kind, target: str, change: Change, *, why: str) -> Proposal:
    return Proposal(cause=cause, action=Action(kind=kind, target=target, changes=(change,)), why=why)

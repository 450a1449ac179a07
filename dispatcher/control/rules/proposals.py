"""Proposals of the tuner: for each cause the actions that could help, the gentlest first, each within bounds.

A function yields actions with the reason for each; one that has no room left yields none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from dispatcher.control.rules.actions import Action, Change, Kind, Proposal, Setting
from dispatcher.control.rules.evidence import Cause, InstanceEvidence, PhraseEvidence, TunerEvidence
from dispatcher.control.rules.symptoms import limit
from dispatcher.messages import SERVICES

MIN_POOL: Final = 4
MAX_POOL: Final = 256
MIN_DEVICES: Final = 5
SHORT_REPLY_KEPT_S: Final = 1.0
MAX_EXTRA_WORKERS: Final = 2
MAX_EXTRA_INSTANCES: Final = 2
# Name of the override; the phrase cache reads it (dispatcher/dialogue_store/phrase_cache.py).
PHRASE_EXTRA: Final = "phrase_cache_extra_mb"
MAX_CACHE_GROWTH: Final = 4
MIN_CLEARED_MB: Final = 1.0
# Of TTS calls, by hits that count half after ten minutes: about one call saved a minute for each megabyte.
WORTH_S_PER_MB: Final = 10.0
# An instance this much slower than the quickest of its service is used last.
SLOW_RATIO: Final = 2.0
# Less than this is no cause of an answer that takes a second.
MIN_SLOWER_MS: Final = 100.0
FAILING_KEEP_RATIO: Final = 0.5
BUSY_KEEP_RATIO: Final = 0.75

Proposed: TypeAlias = Iterator[tuple[Action, str]]


def proposals(cause: Cause, evidence: TunerEvidence) -> tuple[Proposal, ...]:
    """Return the actions against a cause, best first; kinds that cannot act here are left out."""
    missing = dict(evidence.missing)
    return tuple(
        Proposal(cause=cause, action=action, why=why)
        for propose in PROPOSALS[cause]
        for action, why in propose(evidence)
        if action.kind not in missing
    )


def avoid_failing(evidence: TunerEvidence) -> Proposed:
    """Use the instance that fails last and the best of the others first; then let it have half the calls."""
    failing = _worst_failing(evidence)
    if failing is not None:
        why = f"{failing.name} failed {failing.error_ratio or 0:.0%} of its calls"
        yield from _avoid(failing, evidence, why)


def restart_without_failing(evidence: TunerEvidence) -> Proposed:
    """Restart the heaviest worker where no instance explains the errors: the fault is nearer home."""
    if _worst_failing(evidence) is None:
        yield from restart_heaviest(evidence)


def restart_heaviest(evidence: TunerEvidence) -> Proposed:
    """Drain and restart the worker with most memory, where its queue stays served, or soon is again."""
    weighed = [worker for worker in evidence.workers if worker.memory_bytes and worker.queue in SERVICES]
    if not weighed:
        return
    worker = max(weighed, key=lambda each: each.memory_bytes or 0)
    others = [each for each in evidence.workers if each.queue == worker.queue and each != worker]
    if others or evidence.supervised:
        megabytes = (worker.memory_bytes or 0) / 1e6
        why = f"it has held {megabytes:.0f} MB, the most of all workers"
        yield Action(kind="restart", target=worker.name), why


def shorten_buffer(evidence: TunerEvidence) -> Proposed:
    """Let fronts drop audio that they have read after a second."""
    if evidence.reply_kept_s is None:
        action = _set("buffer", "fronts", what="reply_kept_s", before=None, after=SHORT_REPLY_KEPT_S)
        yield action, "audio that was read is kept in Redis"


def clear_speech_cache(_: TunerEvidence) -> Proposed:
    """Have nginx remove the speech that it keeps, a gigabyte at most."""
    yield Action(kind="clear_cache", target="nginx"), "speech that nginx keeps can be made again"


def grow_phrase_cache(evidence: TunerEvidence) -> Proposed:
    """Give a phrase cache that is full, and whose megabytes are worth it, twice its room."""
    phrases = evidence.phrases
    if phrases is None or not phrases.evicted_mb or phrases.saved_s_per_mb < WORTH_S_PER_MB:
        return
    before, most = phrases.extra_mb, (MAX_CACHE_GROWTH - 1) * phrases.max_mb
    after = min(most, phrases.max_mb + 2 * before)
    if after > before:
        action = _set("cache_size", "phrases", what=PHRASE_EXTRA, before=before, after=after)
        yield action, f"{_worth(phrases)}, and {phrases.evicted_mb:.1f} MB were put out"


def clear_phrase_cache(evidence: TunerEvidence) -> Proposed:
    """Remove phrases whose megabytes are not worth what they take."""
    phrases = evidence.phrases
    if phrases and phrases.used_mb >= MIN_CLEARED_MB and phrases.saved_s_per_mb < WORTH_S_PER_MB:
        action = Action(kind="clear_phrases", target="phrases")
        yield action, f"{phrases.used_mb:.1f} MB of phrases are kept, and {_worth(phrases)}"


def _worth(phrases: PhraseEvidence) -> str:
    return f"a MB of phrases saved {phrases.saved_s_per_mb:.1f} s of TTS calls lately"


def lower_admission(evidence: TunerEvidence) -> Proposed:
    """Let no more devices in than are there now, less a tenth; those that are in stay."""
    if evidence.devices is None:
        return
    before, after = evidence.device_limit, max(MIN_DEVICES, evidence.devices * 9 // 10)
    if before is None or after < before:
        action = _set("admission", "fronts", what="max_devices", before=before, after=after)
        yield action, f"{evidence.devices} devices are connected"


def grow_pools(evidence: TunerEvidence) -> Proposed:
    """Let more tasks of a queue run where they wait although instances have room."""
    for queue in sorted(SERVICES, key=lambda each: -evidence.queue_length(each)):
        queued, before = evidence.queue_length(queue), evidence.pool_of(queue)
        after = min(MAX_POOL, evidence.slots_of(queue), before + max(2, before // 2))
        if queued and 0 < before < after:
            why = f"{queued} tasks wait, {before} run at once, instances take {evidence.slots_of(queue)}"
            yield _set("pool", queue, before=before, after=after), why


def shrink_pools(evidence: TunerEvidence) -> Proposed:
    """Let the largest pool run a quarter fewer tasks at once."""
    for queue in sorted(SERVICES, key=lambda each: -evidence.pool_of(each)):
        before = evidence.pool_of(queue)
        after = max(MIN_POOL, before * 3 // 4)
        if after < before:
            yield (
                _set("pool", queue, before=before, after=after),
                f"{before} tasks of {queue} may run at once",
            )
            return


def add_worker(evidence: TunerEvidence) -> Proposed:
    """Start one more process for the queue where most tasks wait; only a supervisor can."""
    queue = max(SERVICES, key=evidence.queue_length)
    before, queued = dict(evidence.extra_workers).get(queue, 0), evidence.queue_length(queue)
    if evidence.supervised and queued and before < MAX_EXTRA_WORKERS:
        yield _set("worker", queue, before=before, after=before + 1), f"{queued} tasks wait"


def add_instance(evidence: TunerEvidence) -> Proposed:
    """Start one more instance of a service whose usable instances are all at their caps."""
    for service in SERVICES:
        usable = [each for each in evidence.instances if each.service == service and each.is_usable]
        before = dict(evidence.extra_instances).get(service, 0)
        if service not in evidence.operable.growable or not usable or before >= MAX_EXTRA_INSTANCES:
            continue
        if all(each.in_flight >= each.cap_now for each in usable):
            why = f"{service} has {evidence.slots_of(service)} slots, and each has a call"
            yield _set("instance", service, before=before, after=before + 1), why


def restart_failing(evidence: TunerEvidence) -> Proposed:
    """Restart the instance that fails most, where it is one that is kept running here."""
    failing = _worst_failing(evidence)
    if failing is not None and (name := f"{failing.service}/{failing.name}") in evidence.operable.restartable:
        yield (
            Action(kind="restart_instance", target=name),
            f"{failing.name} failed {failing.error_ratio or 0:.0%} of its calls",
        )


def throttle_cpu(evidence: TunerEvidence) -> Proposed:
    """Give the instances of this host less of its CPU, so that fronts and workers have some left."""
    busy = [each for each in evidence.instances if each.is_local and each.in_flight]
    if evidence.operable.can_throttle and busy and not evidence.is_throttled:
        action = _set("throttle", "instances", before=None, after=1)
        yield action, f"{sum(each.in_flight for each in busy)} calls are worked on here"


def tidy_records(_: TunerEvidence) -> Proposed:
    """Prune the SQL records and rebuild their statistics."""
    yield Action(kind="records", target="sql"), "upkeep is cheap"


def prefer_local(evidence: TunerEvidence) -> Proposed:
    """Use the host's own instances first where those elsewhere are slower."""
    for service in SERVICES:
        usable = _usable(evidence, service)
        near = [each for each in usable if each.is_local and not _fails(each)]
        far = [each for each in usable if not each.is_local and each.priority_now != "low"]
        quickest = min((each.latency_ms for each in near if each.latency_ms), default=None)
        slowest = max((each.latency_ms for each in far if each.latency_ms), default=None)
        if quickest and slowest and slowest > quickest:
            yield _prefer(first=near, last=far), f"{slowest:.0f} ms elsewhere, {quickest:.0f} ms here"


def prefer_elsewhere(evidence: TunerEvidence) -> Proposed:
    """Use instances elsewhere first, so that this host has less to do."""
    for service in SERVICES:
        usable = _usable(evidence, service)
        near = [each for each in usable if each.is_local and each.in_flight and each.priority_now != "low"]
        far = [each for each in usable if not each.is_local and not _fails(each)]
        if near and far:
            calls = sum(each.in_flight for each in near)
            yield _prefer(first=far, last=near), f"{calls} {service} calls are worked on here"


def avoid_slow(evidence: TunerEvidence) -> Proposed:
    """Use an instance last, or less, that takes twice as long as the quickest of its service."""
    for service in SERVICES:
        timed = [(each.latency_ms, each) for each in _usable(evidence, service) if each.latency_ms]
        slow_ms, slow = max(timed, key=lambda each: each[0], default=(0.0, None))
        quick_ms = min((latency_ms for latency_ms, _ in timed), default=0.0)
        if slow is not None and slow_ms > max(SLOW_RATIO * quick_ms, quick_ms + MIN_SLOWER_MS):
            why = f"{slow.name} takes {slow_ms:.0f} ms, the quickest {quick_ms:.0f} ms"
            yield from _avoid(slow, evidence, why)


def throttle_local(evidence: TunerEvidence) -> Proposed:
    """Let the busiest instance of this host have a quarter fewer calls."""
    busy = [each for each in evidence.instances if each.is_local and each.in_flight]
    for instance in sorted(busy, key=lambda each: -each.in_flight)[:1]:
        why = f"{instance.name} works on {instance.in_flight} calls on this host"
        yield from _lower_cap(instance, BUSY_KEEP_RATIO, why)


PROPOSALS: Final[Mapping[Cause, Sequence[Callable[[TunerEvidence], Proposed]]]] = {
    # A restart mends what it can mend, and ends by itself; the others work round the instance.
    "errors": (restart_failing, avoid_failing, restart_without_failing, lower_admission),
    # Of what nginx keeps on a disk little is memory that others lack, so two more likely remedies come first.
    "memory": (restart_heaviest, shorten_buffer, clear_phrase_cache, clear_speech_cache, lower_admission),
    "response": (
        *(grow_pools, prefer_local, avoid_slow, grow_phrase_cache, add_worker, add_instance),
        *(tidy_records, lower_admission),
    ),
    # More of anything would only make it worse.
    "cpu": (throttle_local, prefer_elsewhere, throttle_cpu, shrink_pools, lower_admission),
}


def _avoid(instance: InstanceEvidence, evidence: TunerEvidence, why: str) -> Proposed:
    """Use an instance last and the best of the others first; then let it have half as many calls."""
    others = [each for each in _usable(evidence, instance.service) if each.name != instance.name]
    if others and instance.priority_now not in {"low", "standby"}:
        best = min(others, key=lambda each: (each.error_ratio or 0.0, each.latency_ms or 0.0))
        yield _prefer(first=[best], last=[instance]), why
    yield from _lower_cap(instance, FAILING_KEEP_RATIO, why)


def _lower_cap(instance: InstanceEvidence, keep_ratio: float, why: str) -> Proposed:
    """Let an instance have fewer calls at once, never less than one."""
    after = max(1, int(instance.cap_now * keep_ratio))
    if after < instance.cap_now and not instance.is_cap_held:
        yield _set("cap", f"{instance.service}/{instance.name}", before=instance.cap_limit, after=after), why


def _worst_failing(evidence: TunerEvidence) -> InstanceEvidence | None:
    """Return the instance with the largest share of errors over the limit, or None."""
    failing = [each for each in evidence.instances if _fails(each)]
    return max(failing, key=lambda each: each.error_ratio or 0.0, default=None)


def _fails(instance: InstanceEvidence) -> bool:
    return (instance.error_ratio or 0.0) > limit("errors")


def _usable(evidence: TunerEvidence, service: str) -> list[InstanceEvidence]:
    """Return those that a change may prefer; one that stands by is no match for those it stands by for."""
    usable = [each for each in evidence.instances if each.service == service and each.is_usable]
    return [each for each in usable if each.priority != "standby"]


def _prefer(*, first: Sequence[InstanceEvidence], last: Sequence[InstanceEvidence]) -> Action:
    wanted = [(each, "high") for each in first] + [(each, "low") for each in last]
    changes = (
        Change(what=f"{each.service}/{each.name}", before=each.priority_override, after=priority)
        for each, priority in wanted
        if each.priority_now != priority
    )
    return Action(kind="prefer", target=last[0].service, changes=tuple(changes))


def _set(kind: Kind, target: str, *, before: Setting, after: Setting, what: str = "") -> Action:
    return Action(
        kind=kind, target=target, changes=(Change(what=what or target, before=before, after=after),)
    )

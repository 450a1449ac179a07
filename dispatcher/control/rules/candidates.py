"""Which remedies fit a cause, the gentlest first: the table of R12 with the contradictions taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from dispatcher.control.rules import proposals
from dispatcher.control.rules.actions import Proposal
from dispatcher.control.rules.evidence import Cause, TunerEvidence


def candidates(cause: Cause, evidence: TunerEvidence) -> tuple[Proposal, ...]:
    """Return what could help, best first; kinds that cannot act here are left out."""
    missing = dict(evidence.missing)
    return tuple(each for each in _BY_CAUSE[cause](evidence) if each.action.kind not in missing)


def _errors(evidence: TunerEvidence) -> Iterator[Proposal]:
    """Leave the instance that fails, then let it have less; without one, the fault is nearer home."""
    failing = proposals.worst_failing(evidence)
    if failing is None:
        yield from proposals.restart_heaviest("errors", evidence)
    else:
        why = f"{failing.name} failed {failing.error_ratio or 0:.0%} of its calls"
        yield from proposals.prefer_backup("errors", failing, evidence, why=why)
        yield from proposals.lower_cap("errors", failing, keep=0.5, why=why)
    yield from proposals.lower_admission("errors", evidence)


def _memory(evidence: TunerEvidence) -> Iterator[Proposal]:
    yield from proposals.restart_heaviest("memory", evidence)
    yield from proposals.shorten_buffer("memory", evidence)
    yield from proposals.lower_admission("memory", evidence)


def _response(evidence: TunerEvidence) -> Iterator[Proposal]:
    yield from proposals.grow_pools("response", evidence)
    yield from proposals.prefer_local("response", evidence)
    yield from proposals.leave_slow("response", evidence)
    yield from proposals.add_worker("response", evidence)
    yield from proposals.tidy_records("response")
    yield from proposals.lower_admission("response", evidence)


def _cpu(evidence: TunerEvidence) -> Iterator[Proposal]:
    """Throttle what works on this box; more of anything would only make it worse."""
    busy = [each for each in evidence.instances if each.is_local and each.in_flight]
    for instance in sorted(busy, key=lambda each: -each.in_flight)[:1]:
        why = f"{instance.name} works on {instance.in_flight} calls on this box"
        yield from proposals.lower_cap("cpu", instance, keep=0.75, why=why)
    yield from proposals.prefer_elsewhere("cpu", evidence)
    yield from proposals.shrink_pools("cpu", evidence)
    yield from proposals.lower_admission("cpu", evidence)


_BY_CAUSE: Final[Mapping[Cause, Callable[[TunerEvidence], Iterator[Proposal]]]] = {
    "errors": _errors,
    "memory": _memory,
    "response": _response,
    "cpu": _cpu,
}

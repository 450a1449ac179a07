"""Checks of phase 1: one active YAML, fronts behind nginx, calls shared by weight, a failover path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from dispatcher.catalogue.codec import digest
from dispatcher.control.added_instances import with_added
from dispatcher.kpis.shares import BY_WEIGHT
from dispatcher.ops.checks.deployment_snapshot import Snapshot
from dispatcher.ops.checks.finding import Finding, judged, not_applicable
from dispatcher.routing.overview import ServiceView

# A smooth round robin is never further off than one call of each instance.
ROUNDS: Final = 20
NGINX_MISS: Final = 0.05
# States that end when its line in the YAML, or a variable, is mended.
_BY_ITS_LINE: Final = ("failing", "not configured")


def yaml_is_active(snapshot: Snapshot) -> Iterator[Finding]:
    """Compare the file with what every process goes by."""
    name, expected = "YAML is in force", "what all processes go by is this file: `dispatcher reload`"
    if snapshot.active is None or snapshot.file is None:
        yield judged(name, good=False, saw="nothing was published yet", expected=expected)
        return
    same = digest(snapshot.file) == digest(with_added(snapshot.active.catalogue, {}))
    what = "the same" if same else f"another one, from {snapshot.active.catalogue.path}"
    yield judged(name, good=same, saw=f"revision {snapshot.active.revision}, {what}", expected=expected)


def fronts_ready(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that each front is ready and known to Redis."""
    for url, answer in snapshot.answers.items():
        saw = "200" if answer.status == 200 else f"{answer.status or 'no answer'}: {answer.text[:160]}"
        yield judged(f"front {url}", good=answer.status == 200, saw=saw, expected="/readyz says 200")
    known = ", ".join(
        f"{name} ({counts.devices} device{'s' if counts.devices != 1 else ''})"
        for name, counts in snapshot.fronts.items()
    )
    yield judged(
        "fronts known to Redis",
        good=len(snapshot.fronts) >= len(snapshot.answers),
        saw=known or "none",
        expected=f"{len(snapshot.answers)} or more, each heard of within 15 s",
    )


def calls_by_weight(snapshot: Snapshot) -> Iterator[Finding]:
    """Compare the shares of the recorded calls with the weights, where the algorithm promises shares."""
    for service in snapshot.overview.services:
        name = f"{service.service} calls by weight"
        if service.algorithm not in BY_WEIGHT:
            yield not_applicable(name, f"{service.algorithm or 'no algorithm'} goes by load", "±5 %")
        else:
            yield _shares(name, service, snapshot)


def _shares(name: str, service: ServiceView, snapshot: Snapshot) -> Finding:
    members = [one for one in service.instances if one.is_usable]
    priorities = {one.priority for one in members}
    if len(members) < 2 or len(priorities) > 1:
        return not_applicable(name, "fewer than two usable instances of one priority", "±5 %")
    weights = {one.name: one.weight if "weighted" in service.algorithm else 1.0 for one in members}
    wanted = {each: weight / sum(weights.values()) for each, weight in weights.items()}
    got = Counter(pick.instance for pick in snapshot.decisions[service.service] if pick.instance in wanted)
    enough = round(ROUNDS / min(wanted.values()))
    if got.total() < enough:
        return not_applicable(name, f"{got.total()} recorded calls, {enough} are needed", "±5 %")
    target = snapshot.catalogue.kpis.share.target if snapshot.catalogue else 0.05
    miss = max(abs(got[each] / got.total() - share) for each, share in wanted.items())
    shares = ", ".join(
        f"{each} {got[each] / got.total():.0%} of {share:.0%}" for each, share in wanted.items()
    )
    return judged(
        name,
        good=miss <= target,
        saw=f"{shares} ({got.total()} calls)",
        expected=f"±{target:.0%} of the weight",
    )


def instances_usable(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that no instance is out."""
    out = [
        f"{one.name} {one.state}" + (f" ({one.last_reason})" if one.state in _BY_ITS_LINE else "")
        for one in snapshot.overview.instances
        if one.state in ("down", "ejected", *_BY_ITS_LINE)
    ]
    count = len(snapshot.overview.instances)
    yield judged(
        "instances healthy",
        good=count > 0 and not out,
        saw=", ".join(out) or f"all {count}",
        expected="none down, ejected, failing or not configured",
    )


def failover_path(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that each service can lose an instance."""
    for service in snapshot.overview.services:
        usable = [one.name for one in service.instances if one.is_usable]
        yield judged(
            f"{service.service} failover",
            good=len(usable) >= 2,
            saw=f"{len(usable)} usable: {', '.join(usable) or 'none'}",
            expected="2 or more usable instances",
        )


def nginx(snapshot: Snapshot) -> Iterator[Finding]:
    """Compare the answers through nginx with the weights of its upstreams in the YAML."""
    name, expected = "nginx weights", f"shares of the YAML's upstream_servers, ±{NGINX_MISS:.0%}"
    seen = snapshot.nginx
    servers = snapshot.catalogue.nginx.upstream_servers if snapshot.catalogue else ()
    if seen is None:
        yield not_applicable(name, "no --nginx was given", expected)
        return
    if seen.problem or not servers:
        saw = seen.problem or "the YAML names no upstream_servers"
        yield judged(name, good=False, saw=saw, expected=expected)
        return
    total = sum(seen.by_server.values())
    got = sorted((count / total for count in seen.by_server.values()), reverse=True)
    weights = sorted((server.weight for server in servers), reverse=True)
    wanted = [weight / sum(weights) for weight in weights]
    close = len(got) == len(wanted) and all(
        abs(one - other) <= NGINX_MISS for one, other in zip(got, wanted, strict=True)
    )
    saw = ", ".join(f"{server} {count}" for server, count in seen.by_server.items())
    yield judged(name, good=close, saw=f"{saw} of {total}", expected=expected)

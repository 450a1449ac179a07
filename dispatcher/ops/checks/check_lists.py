"""Table of the check-lists: a new check is a function beside its kind and its name in a list here.

A check takes the snapshot and yields findings; it connects to nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from dispatcher.catalogue import load_catalogue
from dispatcher.errors import ConfigError
from dispatcher.ops.checks import balancing_checks, host_checks, queue_checks, routing_checks
from dispatcher.ops.checks.finding import CheckList, Finding
from dispatcher.ops.checks.snapshot import Snapshot
from dispatcher.settings import Settings
from dispatcher.supervisor.resolve_settings import front_url

Check: TypeAlias = Callable[[Snapshot], Iterator[Finding]]

CHECKS: Final[Mapping[CheckList, tuple[Check, ...]]] = {
    "before": (
        host_checks.hardware,
        host_checks.yaml,
        host_checks.secrets,
        host_checks.backup,
    ),
    "1": (
        host_checks.hardware,
        host_checks.yaml,
        balancing_checks.yaml_is_active,
        balancing_checks.fronts_ready,
        balancing_checks.calls_by_weight,
        balancing_checks.instances_usable,
        balancing_checks.failover_path,
        balancing_checks.nginx,
    ),
    "2": (
        queue_checks.consumed,
        queue_checks.short_queues,
        queue_checks.control_apart,
        queue_checks.caps,
        queue_checks.pool_sizes,
        queue_checks.broker,
        queue_checks.records,
        queue_checks.beat,
        queue_checks.cache,
    ),
    "3": (
        balancing_checks.instances_usable,
        routing_checks.algorithms,
        routing_checks.dynamic_weights,
        routing_checks.health_checks,
        routing_checks.outliers,
        routing_checks.figures,
        routing_checks.tuner,
        routing_checks.flower,
        routing_checks.turn,
    ),
    "after": (
        balancing_checks.fronts_ready,
        balancing_checks.calls_by_weight,
        balancing_checks.instances_usable,
        balancing_checks.failover_path,
        balancing_checks.nginx,
        queue_checks.records,
        routing_checks.figures,
        routing_checks.tuner,
        routing_checks.flower,
        routing_checks.turn,
        routing_checks.monitoring,
    ),
}


def run_checks(snapshot: Snapshot, wanted: Sequence[CheckList]) -> Mapping[CheckList, Sequence[Finding]]:
    """Return what the checks of these lists find."""
    return {name: [finding for check in CHECKS[name] for finding in check(snapshot)] for name in wanted}


def fronts_of(settings: Settings) -> tuple[str, ...]:
    """Return the fronts that the YAML puts behind nginx, or the one of this host."""
    try:
        servers = load_catalogue(settings.dispatcher_config).nginx.upstream_servers
    except ConfigError:  # a check reports it
        servers = ()
    return tuple(f"http://{each.server}" for each in servers) or (front_url(settings),)

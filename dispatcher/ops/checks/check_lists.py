"""Table of the check-lists: a new check is a function beside its kind and its name in a list here.

A check takes the snapshot and yields findings; it connects to nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from dispatcher.catalogue import load_catalogue
from dispatcher.errors import ConfigError
from dispatcher.ops.checks import (
    balancing_checks,
    deployment_checks,
    host_checks,
    queue_checks,
    routing_checks,
)
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
        deployment_checks.nginx_files,
        deployment_checks.compose_file,
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
        deployment_checks.nginx_files,
        deployment_checks.front_weights,
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
        deployment_checks.compose_file,
    ),
    "3": (
        balancing_checks.instances_usable,
        routing_checks.algorithms,
        routing_checks.dynamic_weights,
        routing_checks.health_checks,
        routing_checks.outliers,
        routing_checks.figures,
        routing_checks.tuner,
        routing_checks.tuner_actions,
        routing_checks.flower,
        routing_checks.turn,
    ),
    "after": (
        balancing_checks.fronts_ready,
        balancing_checks.calls_by_weight,
        balancing_checks.instances_usable,
        balancing_checks.failover_path,
        balancing_checks.nginx,
        deployment_checks.front_weights,
        queue_checks.records,
        routing_checks.figures,
        routing_checks.tuner,
        routing_checks.flower,
        routing_checks.turn,
        routing_checks.monitoring,
        deployment_checks.scrape,
        deployment_checks.webhook,
    ),
}

# What to do where a row of a check fails.
REMEDIES: Final[Mapping[Check, str]] = {
    host_checks.hardware: "a larger box, or model servers elsewhere (docs/scaling.md)",
    host_checks.yaml: "mend the line that is named; config/load_balancing.yaml shows every key",
    host_checks.secrets: "chmod 600 the files",
    host_checks.backup: "`dispatcher backup FILE`, and by the clock from now on (docs/upgrade.md)",
    balancing_checks.yaml_is_active: "`dispatcher reload`",
    balancing_checks.fronts_ready: "start the front; its log and /readyz say what it waits for",
    balancing_checks.calls_by_weight: "`dispatcher status`: an instance that is slow, full or new gets fewer",
    balancing_checks.instances_usable: "`dispatcher try`, then `dispatcher restore` the instance",
    balancing_checks.failover_path: "a second instance in the YAML; `priority: standby` for a spare",
    balancing_checks.nginx: "render and reload nginx (docs/nginx.md); is a front down?",
    deployment_checks.nginx_files: "`dispatcher nginx render --output FOLDER`, then `nginx -s reload`",
    deployment_checks.front_weights: "set INSTANCE_WEIGHT of that front (fronts/NAME.env has it), restart it",
    deployment_checks.compose_file: "mend the file, render again, `docker-compose up -d`",
    deployment_checks.scrape: "start what is down, or take it out of prometheus.yml",
    deployment_checks.webhook: "alerts: webhook_url and secret_env in the YAML (docs/kpis.md)",
    queue_checks.consumed: "start the worker: `celery -A workers worker -Q QUEUE`",
    queue_checks.short_queues: "more slots: another worker or instance (docs/scaling.md)",
    queue_checks.control_apart: "start `celery -A workers worker -Q control` beside the others",
    queue_checks.caps: "report it: leases are counted in Redis and must never exceed a cap",
    queue_checks.pool_sizes: "restart the worker after a change of max_concurrent",
    queue_checks.broker: "config/redis/broker.conf has both settings",
    queue_checks.records: "DATABASE_URL, then `dispatcher records upgrade`",
    queue_checks.beat: "start `celery -A workers beat`",
    queue_checks.cache: "CACHE_URL",
    routing_checks.algorithms: "`dispatcher reload`",
    routing_checks.dynamic_weights: "beat and the control worker have to run",
    routing_checks.health_checks: "beat and the control worker have to run",
    routing_checks.outliers: "`dispatcher why TURN` tells what failed; `dispatcher restore` ends it",
    routing_checks.figures: "docs/kpis.md tells what each figure counts",
    routing_checks.tuner: "beat and the control worker have to run",
    routing_checks.tuner_actions: "`dispatcher up`, or TUNER_HOOK (docs/tuner.md)",
    routing_checks.flower: "FLOWER_PASSWORD (docs/flower.md)",
    routing_checks.turn: "`dispatcher talk` shows it step by step; docs/troubleshooting.md",
    routing_checks.monitoring: "the control worker has to run",
}


def run_checks(snapshot: Snapshot, wanted: Sequence[CheckList]) -> Mapping[CheckList, Sequence[Finding]]:
    """Return what the checks of these lists find; a row that fails has its remedy."""
    return {name: [each for check in CHECKS[name] for each in _found(check, snapshot)] for name in wanted}


def _found(check: Check, snapshot: Snapshot) -> Iterator[Finding]:
    for finding in check(snapshot):
        yield replace(finding, remedy=REMEDIES[check]) if finding.outcome == "fail" else finding


def fronts_of(settings: Settings) -> tuple[str, ...]:
    """Return the fronts that the YAML puts behind nginx, or the one of this host."""
    try:
        servers = load_catalogue(settings.dispatcher_config).nginx.upstream_servers
    except ConfigError:  # a check reports it
        servers = ()
    return tuple(f"http://{each.server}" for each in servers) or (front_url(settings),)

"""Table of the check-lists: a new check is a function beside its kind and a row here.

A check takes the snapshot and yields findings; it connects to nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias

from dispatcher.catalogue import load_catalogue
from dispatcher.errors import ConfigError
from dispatcher.ops.checks import (
    balancing_checks,
    deployment_checks,
    host_checks,
    queue_checks,
    routing_checks,
)
from dispatcher.ops.checks.deployment_snapshot import Snapshot
from dispatcher.ops.checks.finding import CheckList, Finding
from dispatcher.settings import Settings
from dispatcher.supervisor.resolve_settings import front_url

Check: TypeAlias = Callable[[Snapshot], Iterator[Finding]]


class CheckRow(NamedTuple):
    """A check, the lists that have it, in words, and what to do where a row of it fails."""

    check: Check
    lists: str
    remedy: str


ROWS: Final = (
    CheckRow(host_checks.hardware, "before 1", "a larger box, or model servers elsewhere (docs/scaling.md)"),
    CheckRow(
        host_checks.yaml,
        "before 1",
        "mend the line that is named; config/load_balancing.yaml shows every key",
    ),
    CheckRow(host_checks.secrets, "before", "chmod 600 the files"),
    CheckRow(
        host_checks.backup,
        "before",
        "`dispatcher backup FILE`, and by the clock from now on (docs/upgrade.md)",
    ),
    CheckRow(balancing_checks.yaml_is_active, "1", "`dispatcher reload`"),
    CheckRow(
        balancing_checks.fronts_ready, "1 after", "start the front; its log and /readyz say what it waits for"
    ),
    CheckRow(
        balancing_checks.calls_by_weight,
        "1 after",
        "`dispatcher status`: an instance that is slow, full or new gets fewer",
    ),
    CheckRow(
        balancing_checks.instances_usable,
        "1 3 after",
        "`dispatcher try`, then `dispatcher restore` the instance",
    ),
    CheckRow(
        balancing_checks.failover_path,
        "1 after",
        "a second instance in the YAML; `priority: standby` for a spare",
    ),
    CheckRow(balancing_checks.nginx, "1 after", "render and reload nginx (docs/nginx.md); is a front down?"),
    CheckRow(
        deployment_checks.nginx_files,
        "before 1",
        "`dispatcher nginx render --output FOLDER`, then `nginx -s reload`",
    ),
    CheckRow(
        deployment_checks.front_weights,
        "1 after",
        "set INSTANCE_WEIGHT of that front (fronts/NAME.env has it), restart it",
    ),
    CheckRow(queue_checks.consumed, "2", "start the worker: `celery -A workers worker -Q QUEUE`"),
    CheckRow(queue_checks.short_queues, "2", "more slots: another worker or instance (docs/scaling.md)"),
    CheckRow(
        queue_checks.control_apart, "2", "start `celery -A workers worker -Q control` beside the others"
    ),
    CheckRow(queue_checks.caps, "2", "report it: leases are counted in Redis and must never exceed a cap"),
    CheckRow(queue_checks.pool_sizes, "2", "restart the worker after a change of max_concurrent"),
    CheckRow(queue_checks.broker, "2", "config/redis/broker.conf has both settings"),
    CheckRow(queue_checks.records, "2 after", "DATABASE_URL, then `dispatcher records upgrade`"),
    CheckRow(queue_checks.beat, "2", "start `celery -A workers beat`"),
    CheckRow(queue_checks.cache, "2", "CACHE_URL"),
    CheckRow(
        deployment_checks.compose_file, "before 2", "mend the file, render again, `docker-compose up -d`"
    ),
    CheckRow(routing_checks.algorithms, "3", "`dispatcher reload`"),
    CheckRow(routing_checks.dynamic_weights, "3", "beat and the control worker have to run"),
    CheckRow(routing_checks.health_checks, "3", "beat and the control worker have to run"),
    CheckRow(
        routing_checks.outliers, "3", "`dispatcher why TURN` tells what failed; `dispatcher restore` ends it"
    ),
    CheckRow(routing_checks.figures, "3 after", "docs/kpis.md tells what each figure counts"),
    CheckRow(routing_checks.tuner, "3 after", "beat and the control worker have to run"),
    CheckRow(routing_checks.tuner_actions, "3", "`dispatcher up`, or TUNER_HOOK (docs/tuner.md)"),
    CheckRow(routing_checks.flower, "3 after", "FLOWER_PASSWORD (docs/flower.md)"),
    CheckRow(
        routing_checks.turn, "3 after", "`dispatcher talk` shows it step by step; docs/troubleshooting.md"
    ),
    CheckRow(routing_checks.monitoring, "after", "the control worker has to run"),
    CheckRow(deployment_checks.scrape, "after", "start what is down, or take it out of prometheus.yml"),
    CheckRow(
        deployment_checks.webhook, "after", "alerts: webhook_url and secret_env in the YAML (docs/kpis.md)"
    ),
)


def run_checks(snapshot: Snapshot, wanted: Sequence[CheckList]) -> Mapping[CheckList, Sequence[Finding]]:
    """Return what the checks of these lists find; a row that fails has its remedy."""
    return {
        name: [found for row in ROWS if name in row.lists.split() for found in _found(row, snapshot)]
        for name in wanted
    }


def _found(row: CheckRow, snapshot: Snapshot) -> Iterator[Finding]:
    for finding in row.check(snapshot):
        yield replace(finding, remedy=row.remedy) if finding.outcome == "fail" else finding


def fronts_of(settings: Settings) -> tuple[str, ...]:
    """Return the fronts that the YAML puts behind nginx, or the one of this host."""
    try:
        servers = load_catalogue(settings.dispatcher_config).nginx.upstream_servers
    except ConfigError:  # a check reports it
        servers = ()
    return tuple(f"http://{each.server}" for each in servers) or (front_url(settings),)

"""Evaluation of the KPIs, every five seconds: sample, evaluate, move the alerts, and notify of changes.

A new KPI is a row of `dispatcher/kpis/kpi_rules.py`; facts that it needs beyond these come from `facts_of`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast, get_args

import structlog

from dispatcher.catalogue.model import Catalogue
from dispatcher.control.metrics_sampling import HOST, MetricsSample, MetricsSampler
from dispatcher.control.webhook import Webhook
from dispatcher.kpis.alert_rules import Alert, AlertChange, alert_change, next_alert
from dispatcher.kpis.kpi_rules import InstanceFault, Kpi, KpiFacts, TurnFacts, evaluate_kpis
from dispatcher.kpis.shares import ShareGroup, ShareMember, ShareWindow, next_window
from dispatcher.messages import Algorithm, Priority
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import InstanceView, Overview, ServiceView
from dispatcher.telemetry import front_presence, kpi_store, metric_samples, record_stream, turn_log
from dispatcher.telemetry.front_presence import FrontCounts
from dispatcher.telemetry.kpi_store import KpiSnapshot, KpiStatus

log = structlog.get_logger(__name__)

HALF_OPEN_UNHEALTHY_S: Final = 60.0


class KpiEvaluator:
    """The evaluation of one control worker; all that outlives a round is in Redis."""

    def __init__(
        self,
        redis: RedisClient,
        catalogue: Callable[[], Catalogue],
        sampler: MetricsSampler,
        webhook: Webhook,
    ) -> None:
        """Evaluate by the active catalogue; whoever makes this runs the delivery of the webhook."""
        self._redis = redis
        self._catalogue = catalogue
        self._sampler = sampler
        self._webhook = webhook
        self._round = asyncio.Lock()

    async def evaluate(self) -> KpiSnapshot:
        """Sample, evaluate and publish; rounds that were asked for by hand come one after the other.

        Raises:
            StateError: Redis is out of reach.
        """
        async with self._round:
            sample = await self._sampler.sample()
            kpis = evaluate_kpis(await self._facts(sample), self._catalogue().kpis)
            snapshot = KpiSnapshot(
                judged_at_s=sample.at_s,
                host=HOST,
                standings=tuple(await self._move_alerts(kpis, sample.at_s)),
                box=sample.host,
                processes=sample.processes,
            )
            await kpi_store.publish(self._redis, snapshot)
            await self._record(snapshot, sample.overview)
            return snapshot

    async def _facts(self, sample: MetricsSample) -> KpiFacts:
        since_s = sample.at_s - self._catalogue().kpis.window_s
        turns, fronts, before = await asyncio.gather(
            turn_log.read_since(self._redis, since_s),
            front_presence.read_fronts(self._redis),
            kpi_store.read_windows(self._redis),
        )
        windows = [next_window(before.get(group.name), group) for group in _groups(sample.overview)]
        await kpi_store.keep_windows(self._redis, windows)
        return facts_of(sample, turns, fronts, windows)

    async def _move_alerts(self, kpis: Sequence[Kpi], now_s: float) -> list[KpiStatus]:
        rules = self._catalogue().alerts
        alerts = await kpi_store.read_alerts(self._redis)
        statuses = []
        for kpi in kpis:
            before = alerts.get(kpi.name, Alert(since_s=now_s))
            after = next_alert(before, kpi, rules, now_s=now_s)
            statuses.append(KpiStatus(kpi=kpi, alert=after))
            if (change := alert_change(before, after)) is not None:
                self._notify(change, kpi, after)
        return statuses

    def _notify(self, change: AlertChange, kpi: Kpi, alert: Alert) -> None:
        """Write the begin or end of an alert to the log, the records and the webhook."""
        fields = {**_as_record(kpi, alert.since_s), "phase": change, "detail": kpi.detail}
        if change == "firing":
            log.warning("alert firing", **fields)
        else:
            log.info("alert resolved", **fields)
        record_stream.add(self._redis, "alert", fields)
        self._webhook.send_nowait(self._catalogue().alerts, {"host": HOST, **fields})

    async def _record(self, snapshot: KpiSnapshot, overview: Overview) -> None:
        """Record once a minute, however many control workers take turns."""
        if not await kpi_store.try_claim_minute(self._redis):
            return
        for status in snapshot.standings:
            fields = {**_as_record(status.kpi, snapshot.judged_at_s), "phase": status.alert.phase}
            record_stream.add(self._redis, "kpi", fields)
        for instance in overview.instances:
            fields = metric_samples.instance_sample(instance, at_s=snapshot.judged_at_s)
            names = {"service": instance.service, "instance": instance.name}
            record_stream.add(self._redis, "sample", {**names, **fields})


def facts_of(
    sample: MetricsSample,
    turns: Sequence[TurnFacts],
    fronts: Mapping[str, FrontCounts],
    windows: Sequence[ShareWindow],
) -> KpiFacts:
    """Return the facts that KPIs are evaluated from."""
    instances = sample.overview.instances
    unhealthy = tuple(one.name for one in instances if _is_unhealthy(one))
    return KpiFacts(
        now_s=sample.at_s,
        turns=turns,
        faults=tuple(_faults(instances)),
        unhealthy=unhealthy if instances else None,
        busy_devices=sum(front.busy for front in fronts.values()) if fronts else None,
        devices=sum(front.devices for front in fronts.values()),
        windows=windows,
        cpu_ratio=sample.host.cpu_ratio,
        memory_ratio=sample.host.memory_ratio,
        network_ratio=sample.host.network_ratio,
        disk_ratio=sample.disk.used_ratio if sample.disk else None,
        disk_trouble=sample.disk.trouble if sample.disk else "",
    )


def _is_unhealthy(instance: InstanceView) -> bool:
    """Return whether calls are kept from an instance because something is wrong with it.

    One that is half-open and has no calls stays so until the next one; after a while that is no trouble.
    """
    if instance.state == "half-open":
        return instance.failed_s_ago is not None and instance.failed_s_ago < HALF_OPEN_UNHEALTHY_S
    return instance.state in ("ejected", "down", "failing")


def _faults(instances: Sequence[InstanceView]) -> Iterator[InstanceFault]:
    for one in instances:
        if one.fault_began_at_s is not None and one.fault_at_s is not None:
            yield InstanceFault(instance=one.name, began_at_s=one.fault_began_at_s, last_at_s=one.fault_at_s)


def _groups(overview: Overview) -> Iterator[ShareGroup]:
    """Yield the instances that share calls: usable ones of one service and priority, two at the least."""
    for service in overview.services:
        for priority in get_args(Priority):
            members = tuple(_members(service, priority))
            if service.algorithm in get_args(Algorithm) and len(members) > 1:
                yield ShareGroup(
                    service=service.service,
                    priority=priority,
                    algorithm=cast("Algorithm", service.algorithm),
                    members=members,
                )


def _members(service: ServiceView, priority: Priority) -> Iterator[ShareMember]:
    for one in service.instances:
        if one.is_usable and one.priority == priority:
            yield ShareMember(name=one.name, weight=one.effective_weight, calls=one.calls)


def _as_record(kpi: Kpi, at_s: float) -> dict[str, Any]:
    """Return the fields of a KPI, JSON-ready; None is unknown."""
    return {
        "name": kpi.name,
        "at_ms": round(at_s * 1000),
        "value": kpi.value,
        "unit": kpi.unit,
        "target": kpi.target,
        "bound": kpi.alert,
    }

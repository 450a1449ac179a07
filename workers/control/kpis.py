"""Every five seconds: sample, judge the figures, move their alerts, and tell who has to know."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, cast, get_args

import structlog

from dispatcher.errors import StateError
from dispatcher.kpis import alert_rules, shares
from dispatcher.kpis.alert_rules import Alert, next_alert
from dispatcher.kpis.kpi_rules import InstanceFault, Kpi, KpiFacts, TurnFacts, evaluate_kpis
from dispatcher.kpis.shares import ShareGroup, ShareMember, ShareWindow
from dispatcher.messages import JUDGE_KPIS, Algorithm, Priority
from dispatcher.pipeline.worker_context import WorkerContext, process_context
from dispatcher.routing.overview import InstanceView, Overview, ServiceView
from dispatcher.telemetry import front_presence, kpi_store, metric_samples, record_stream, turn_log
from dispatcher.telemetry.front_presence import FrontCounts
from dispatcher.telemetry.kpi_store import KpiSnapshot, KpiStatus
from workers.celery import app
from workers.control.metrics import HOST, Sampled, take_sample
from workers.control.ticks import tick
from workers.control.webhook import Webhook

log = structlog.get_logger(__name__)

JUDGE_TIMEOUT_S: Final = 5.0
HALF_OPEN_COUNTS_S: Final = 60.0


class KpiEvaluator:
    """What one control worker keeps between two looks; everything else is in Redis."""

    def __init__(self, shared: WorkerContext) -> None:
        """Start the delivery of the webhook beside the looks."""
        self._shared = shared
        self._webhook = Webhook()
        self._alone = asyncio.Lock()
        shared.keep_running(self._webhook.deliver())

    async def look(self) -> KpiSnapshot:
        """Sample, judge and publish; looks that were asked for by hand come one after the other.

        Raises:
            StateError: Redis is out of reach.
        """
        async with self._alone:
            sampled = await take_sample(self._shared)
            figures = evaluate_kpis(await self._facts(sampled), self._shared.catalogue.kpis)
            board = KpiSnapshot(
                judged_at_s=sampled.at_s,
                host=HOST,
                standings=tuple(await self._standings(figures, sampled.at_s)),
                box=sampled.box,
                processes=sampled.processes,
            )
            await kpi_store.publish(self._shared.redis, board)
            await self._record(board, sampled.overview)
            return board

    async def _facts(self, sampled: Sampled) -> KpiFacts:
        line, window_s = self._shared.redis, self._shared.catalogue.kpis.window_s
        turns, known, before = await asyncio.gather(
            turn_log.read_since(line, sampled.at_s - window_s),
            front_presence.read_fronts(line),
            kpi_store.read_windows(line),
        )
        windows = [shares.next_window(before.get(group.name), group) for group in _groups(sampled.overview)]
        await kpi_store.keep_windows(line, windows)
        return facts_of(sampled, turns, known, windows)

    async def _standings(self, figures: Sequence[Kpi], now_s: float) -> list[KpiStatus]:
        rules = self._shared.catalogue.alerts
        before = await kpi_store.read_alerts(self._shared.redis)
        standings = []
        for kpi in figures:
            was = before.get(kpi.name, Alert(since_s=now_s))
            now = next_alert(was, kpi, rules, now_s=now_s)
            standings.append(KpiStatus(kpi=kpi, alert=now))
            if (changed := alert_rules.change(was, now)) is not None:
                self._tell(changed, kpi, now)
        return standings

    def _tell(self, changed: alert_rules.Change, kpi: Kpi, alert: Alert) -> None:
        """Tell of a change: the log, the records, and whoever the webhook is."""
        told = {**_as_record(kpi, alert.since_s), "phase": changed, "detail": kpi.detail}
        if changed == "firing":
            log.warning("alert firing", **told)
        else:
            log.info("alert resolved", **told)
        record_stream.add(self._shared.redis, "alert", told)
        self._webhook.tell(self._shared.catalogue.alerts, {"host": HOST, **told})

    async def _record(self, board: KpiSnapshot, overview: Overview) -> None:
        """Record once a minute, however many control workers take turns in judging."""
        if not await kpi_store.try_claim_minute(self._shared.redis):
            return
        for standing in board.standings:
            told = {**_as_record(standing.kpi, board.judged_at_s), "phase": standing.alert.phase}
            record_stream.add(self._shared.redis, "kpi", told)
        for instance in overview.instances:
            sample = metric_samples.instance_sample(instance, at_s=board.judged_at_s)
            known = {"service": instance.service, "instance": instance.name, **sample}
            record_stream.add(self._shared.redis, "sample", known)


@cache
def _judge(shared: WorkerContext) -> KpiEvaluator:
    return KpiEvaluator(shared)


@app.task(name=JUDGE_KPIS)
@tick(JUDGE_KPIS)
def judge_kpis() -> None:
    """Look once; a Redis that is away is looked for again at the next tick."""
    shared = process_context()
    try:
        shared.run(_look(shared), timeout_s=JUDGE_TIMEOUT_S)
    except (StateError, TimeoutError) as error:
        log.warning("figures not judged", reason=str(error))


async def _look(shared: WorkerContext) -> None:
    await _judge(shared).look()


def facts_of(
    sampled: Sampled,
    turns: Sequence[TurnFacts],
    known: Mapping[str, FrontCounts],
    windows: Sequence[ShareWindow],
) -> KpiFacts:
    """Return what is judged, from all that was read."""
    instances = sampled.overview.instances
    unhealthy = tuple(one.name for one in instances if _is_out(one))
    return KpiFacts(
        now_s=sampled.at_s,
        turns=turns,
        faults=tuple(_faults(instances)),
        unhealthy=unhealthy if instances else None,
        busy_devices=sum(front.busy for front in known.values()) if known else None,
        devices=sum(front.devices for front in known.values()),
        windows=windows,
        cpu_ratio=sampled.box.cpu_ratio,
        memory_ratio=sampled.box.memory_ratio,
        network_ratio=sampled.box.network_ratio,
        disk_ratio=sampled.disk.used_ratio if sampled.disk else None,
        disk_trouble=sampled.disk.trouble if sampled.disk else "",
    )


def _is_out(instance: InstanceView) -> bool:
    """Tell whether calls are kept from an instance because something is wrong with it.

    One that is half-open and has no calls stays so until the next one; after a while that is no trouble.
    """
    if instance.state == "half-open":
        return instance.failed_s_ago is not None and instance.failed_s_ago < HALF_OPEN_COUNTS_S
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
    """Return the facts of a figure, JSON-ready; None is unknown."""
    return {
        "name": kpi.name,
        "at_ms": round(at_s * 1000),
        "value": kpi.value,
        "unit": kpi.unit,
        "target": kpi.target,
        "bound": kpi.alert,
    }

"""Snapshot of a deployment, read once: a check never connects to anything itself."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from dispatcher.catalogue import Catalogue, load_catalogue
from dispatcher.control import overrides, tuner_store
from dispatcher.control.overrides import RuntimeOverrides
from dispatcher.control.rules.tuner_state import TunerState
from dispatcher.control.tuner_store import LoggedExperiment
from dispatcher.errors import ConfigError
from dispatcher.host_metrics.cgroup import CGROUP_ROOT, OWN_CGROUPS, Cgroup, read_cgroup
from dispatcher.messages import QUEUES, SERVICES, Service
from dispatcher.ops.backup.last_backup import LastBackup, read_last_backup
from dispatcher.ops.checks import http_probes
from dispatcher.ops.checks.deployed_files import ComposeFile, read_compose, read_nginx_files
from dispatcher.ops.checks.http_probes import HttpAnswer, NginxAnswers, TypedTurn
from dispatcher.ops.checks.records_snapshot import RecordsSnapshot, read_records
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.key_scan import scan_keys
from dispatcher.routing import decisions, instance_table
from dispatcher.routing.decisions import Decision
from dispatcher.routing.instance_table import PublishedCatalogue
from dispatcher.routing.overview import InstanceView, Overview, read_overview
from dispatcher.settings import Settings
from dispatcher.telemetry import canaries, front_presence, kpi_store
from dispatcher.telemetry.canaries import CanaryView
from dispatcher.telemetry.front_presence import FrontCounts
from dispatcher.telemetry.kpi_store import KpiSnapshot

DECISIONS_READ: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckScope:
    """Extent of a check.

    Attributes:
        fronts: addresses, as http://host:port.
        nginx: the address of the entry; empty without one.
        nginx_files: the folder of nginx's configuration.
        compose: the compose file that the deployment was started with.
        prometheus: the address of Prometheus; empty without one.
    """

    settings: Settings
    fronts: Sequence[str]
    nginx: str = ""
    nginx_files: Path | None = None
    compose: Path | None = None
    prometheus: str = ""

    @property
    def flower_url(self) -> str:
        """Where Flower of these settings listens."""
        return f"http://{self.settings.flower_host}:{self.settings.flower_port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSnapshot:
    """This machine, or the container that the command runs in (BOX_SCOPE)."""

    cores: float
    memory_bytes: int
    disk_free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSnapshot:
    """One instance, with the ages that the overview has no use for."""

    view: InstanceView
    checked_s_ago: float | None
    adjusted_s_ago: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSnapshot:
    """One worker process on one queue.

    Attributes:
        process: its host and pid; in containers every pid is 1.
        slots: how many tasks it runs at once, 0 where it does not say.
    """

    queue: str
    process: str
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Deployment at one moment.

    Attributes:
        file: the YAML of DISPATCHER_CONFIG; None where it is wrong, and `file_problem` says why.
        redis: fields of INFO.
        answers: of the fronts, by address; `front_health` is what they say of themselves.
        nginx_files, compose, scrape, webhook: None where nothing was named, so nothing was asked.
    """

    scope: CheckScope
    now_s: float
    file: Catalogue | None
    file_problem: str
    active: PublishedCatalogue | None
    host: HostSnapshot
    redis: Mapping[str, str]
    overview: Overview
    instances: tuple[InstanceSnapshot, ...]
    workers: tuple[WorkerSnapshot, ...]
    canaries: tuple[CanaryView, ...]
    fronts: Mapping[str, FrontCounts]
    kpis: KpiSnapshot | None
    overrides: RuntimeOverrides
    tuner: TunerState
    tuner_rows: tuple[LoggedExperiment, ...]
    decisions: Mapping[Service, tuple[Decision, ...]]
    records: RecordsSnapshot
    backup: LastBackup | None
    answers: Mapping[str, HttpAnswer]
    front_health: Mapping[str, HttpAnswer]
    nginx: NginxAnswers | None
    nginx_files: Mapping[str, str] | None
    compose: ComposeFile | None
    scrape: HttpAnswer | None
    webhook: HttpAnswer | None
    flower: HttpAnswer
    turn: TypedTurn

    @property
    def catalogue(self) -> Catalogue | None:
        """What all processes go by; the file where nothing is in force yet."""
        return self.active.catalogue if self.active else self.file


async def read_snapshot(redis: RedisClient, scope: CheckScope) -> Snapshot:
    """Hold a real turn, then look at everything: what the turn left behind is part of it.

    Raises:
        StateError: Redis is out of reach.
    """
    file, problem = _read_file(scope.settings.dispatcher_config)
    async with aiohttp.ClientSession() as session:
        answered = await _answers(session, scope)
        state = await _state(redis)
        alerts = state["active"].catalogue.alerts if state["active"] else None
        webhook = (
            await http_probes.head(session, alerts.webhook_url) if alerts and alerts.webhook_url else None
        )
    return Snapshot(
        scope=scope,
        now_s=time.time(),
        file=file,
        file_problem=problem,
        host=_read_host(scope.settings),
        records=await asyncio.to_thread(read_records, scope.settings.database),
        backup=read_last_backup(scope.settings.data_dir),
        nginx_files=read_nginx_files(scope.nginx_files),
        compose=read_compose(scope.compose),
        webhook=webhook,
        **answered,
        **state,
    )


async def _answers(session: aiohttp.ClientSession, scope: CheckScope) -> dict[str, Any]:
    """Return what the parts of the deployment answer, by the names of the fields."""
    turn = await http_probes.type_turn(session, scope.nginx or scope.fronts[0])
    prometheus = f"{scope.prometheus.rstrip('/')}/api/v1/targets?state=active"
    return {
        "turn": turn,
        "answers": await _ask_fronts(session, scope, "/readyz"),
        "front_health": await _ask_fronts(session, scope, "/healthz"),
        "nginx": await http_probes.count_nginx_answers(session, scope.nginx) if scope.nginx else None,
        "flower": await http_probes.get(session, f"{scope.flower_url}/workers"),
        "scrape": await http_probes.get(session, prometheus) if scope.prometheus else None,
    }


async def _ask_fronts(session: aiohttp.ClientSession, scope: CheckScope, path: str) -> dict[str, HttpAnswer]:
    asked = [http_probes.get(session, f"{url.rstrip('/')}{path}") for url in scope.fronts]
    return dict(zip(scope.fronts, await asyncio.gather(*asked), strict=True))


async def _state(redis: RedisClient) -> dict[str, Any]:
    """Return what Redis holds, by the names of the fields."""
    overview = await read_overview(redis)
    info: Mapping[str, Any] = await redis.execute("INFO")  # redis-py has parsed it
    picked = [await decisions.newest(redis, service, most=DECISIONS_READ) for service in SERVICES]
    return {
        "active": await instance_table.read_active(redis),
        "redis": {str(name): str(value) for name, value in info.items()},
        "overview": overview,
        "instances": tuple([await _instance(redis, view) for view in overview.instances]),
        "workers": await _workers(redis),
        "canaries": await canaries.read_canaries(redis),
        "fronts": await front_presence.read_fronts(redis),
        "kpis": await kpi_store.read_snapshot(redis),
        "overrides": await overrides.read_overrides(redis),
        "tuner": await tuner_store.load(redis),
        "tuner_rows": await tuner_store.read_log(redis),
        "decisions": dict(zip(SERVICES, picked, strict=True)),
    }


def _read_file(path: Path) -> tuple[Catalogue | None, str]:
    try:
        return load_catalogue(path), ""
    except ConfigError as error:
        return None, str(error)


def _read_host(settings: Settings) -> HostSnapshot:
    # In a container of its own a front has limits that say nothing of the machine.
    cgroup = read_cgroup(CGROUP_ROOT, OWN_CGROUPS) if settings.box_scope == "container" else Cgroup()
    data_dir = settings.data_dir
    folder = next((each for each in (data_dir, *data_dir.absolute().parents) if each.exists()), Path("/"))
    return HostSnapshot(
        cores=cgroup.cores,
        memory_bytes=cgroup.memory_bytes,
        disk_free_bytes=shutil.disk_usage(folder).free,
    )


async def _instance(redis: RedisClient, view: InstanceView) -> InstanceSnapshot:
    known = await instance_table.read(redis, view.service, view.name)

    def ago(field: str) -> float | None:
        return max(0.0, time.time() - float(known[field]) / 1000) if known.get(field) else None

    return InstanceSnapshot(
        view=view, checked_s_ago=ago("checked_at_ms"), adjusted_s_ago=ago("adjusted_at_ms")
    )


async def _workers(redis: RedisClient) -> tuple[WorkerSnapshot, ...]:
    found: list[WorkerSnapshot] = []
    for queue in QUEUES:
        async for names in scan_keys(redis, keys.worker_ready(queue, "*", "*")):
            for name in names:
                slots = await redis.execute("GET", name)
                process = name.decode().split(":", 2)[2]
                found.append(WorkerSnapshot(queue=queue, process=process, slots=int(slots or 0)))
    return tuple(sorted(found, key=lambda each: (each.queue, each.process)))

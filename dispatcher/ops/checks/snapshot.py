"""All that the rows look at, gathered once: a row never connects to anything itself."""

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
from dispatcher.host_metrics.cgroup import CGROUP_ROOT, OWN_CGROUPS, read_cgroup
from dispatcher.messages import QUEUES, SERVICES, Service
from dispatcher.ops.backup.last_backup import LastBackup, read_last_backup
from dispatcher.ops.checks.probes import (
    Answer,
    FlowerSeen,
    NginxSeen,
    TurnSeen,
    ask_flower,
    ask_front,
    ask_nginx,
    hold_turn,
)
from dispatcher.ops.checks.records_snapshot import RecordsSeen, look_at_records
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import decisions, instance_table
from dispatcher.routing.decisions import Decision
from dispatcher.routing.instance_table import ActiveCatalogue
from dispatcher.routing.overview import InstanceView, Overview, read_overview
from dispatcher.settings import Settings
from dispatcher.telemetry import canaries, front_presence, kpi_store
from dispatcher.telemetry.canaries import CanaryView
from dispatcher.telemetry.front_presence import FrontCounts
from dispatcher.telemetry.kpi_store import KpiSnapshot

DECISIONS_READ: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to look at.

    Attributes:
        fronts: addresses, as http://host:port.
        nginx: the address of the entry; empty without one.
    """

    settings: Settings
    fronts: Sequence[str]
    nginx: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSnapshot:
    """This machine, or the container that the command runs in."""

    cores: float
    memory_bytes: int
    disk_free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSeen:
    """One instance, with the ages that the overview has no use for."""

    view: InstanceView
    checked_s_ago: float | None
    adjusted_s_ago: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen:
    """One worker process on one queue; `slots` is how many tasks it runs at once, 0 where it does not say."""

    queue: str
    pid: int
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One moment of a deployment.

    Attributes:
        file: the YAML of DISPATCHER_CONFIG; None where it is wrong, and `file_problem` says why.
        redis: what INFO says of the server.
        answers: of the fronts, by address.
    """

    wish: Wish
    now_s: float
    file: Catalogue | None
    file_problem: str
    in_force: ActiveCatalogue | None
    box: HostSnapshot
    redis: Mapping[str, str]
    overview: Overview
    instances: tuple[InstanceSeen, ...]
    workers: tuple[WorkerSeen, ...]
    canaries: tuple[CanaryView, ...]
    fronts: Mapping[str, FrontCounts]
    board: KpiSnapshot | None
    knobs: RuntimeOverrides
    tuner: TunerState
    tuner_rows: tuple[LoggedExperiment, ...]
    decisions: Mapping[Service, tuple[Decision, ...]]
    records: RecordsSeen
    backup: LastBackup | None
    answers: Mapping[str, Answer]
    nginx: NginxSeen | None
    flower: FlowerSeen
    turn: TurnSeen

    @property
    def catalogue(self) -> Catalogue | None:
        """What all processes go by; the file where nothing is in force yet."""
        return self.in_force.catalogue if self.in_force else self.file


async def gather(redis: RedisClient, wish: Wish) -> Evidence:
    """Hold a real turn, then look at everything: what the turn left behind is part of it.

    Raises:
        StateError: Redis is out of reach.
    """
    file, problem = _read_file(wish.settings.dispatcher_config)
    async with aiohttp.ClientSession() as session:
        turn = await hold_turn(session, wish.nginx or wish.fronts[0])
        asked = await asyncio.gather(*(ask_front(session, url) for url in wish.fronts))
        nginx = await ask_nginx(session, wish.nginx) if wish.nginx else None
        flower = await ask_flower(session, f"http://{wish.settings.flower_host}:{wish.settings.flower_port}")
    state = await _state(redis)
    return Evidence(
        wish=wish,
        now_s=time.time(),
        file=file,
        file_problem=problem,
        box=_look_at_box(wish.settings.data_dir),
        records=await asyncio.to_thread(look_at_records, wish.settings.database),
        backup=read_last_backup(wish.settings.data_dir),
        answers=dict(zip(wish.fronts, asked, strict=True)),
        nginx=nginx,
        flower=flower,
        turn=turn,
        **state,
    )


async def _state(redis: RedisClient) -> dict[str, Any]:
    """Return what Redis holds, by the names of the fields."""
    overview = await read_overview(redis)
    picked = [await decisions.newest(redis, service, most=DECISIONS_READ) for service in SERVICES]
    return {
        "in_force": await instance_table.in_force(redis),
        "redis": await _info(redis),
        "overview": overview,
        "instances": tuple([await _instance(redis, view) for view in overview.instances]),
        "workers": await _workers(redis),
        "canaries": await canaries.read_canaries(redis),
        "fronts": await front_presence.read_fronts(redis),
        "board": await kpi_store.read_snapshot(redis),
        "knobs": await overrides.read_overrides(redis),
        "tuner": await tuner_store.load(redis),
        "tuner_rows": await tuner_store.read_log(redis),
        "decisions": dict(zip(SERVICES, picked, strict=True)),
    }


def _read_file(path: Path) -> tuple[Catalogue | None, str]:
    try:
        return load_catalogue(path), ""
    except ConfigError as error:
        return None, str(error)


def _look_at_box(data_dir: Path) -> HostSnapshot:
    cgroup = read_cgroup(CGROUP_ROOT, OWN_CGROUPS)
    folder = next((each for each in (data_dir, *data_dir.absolute().parents) if each.exists()), Path("/"))
    return HostSnapshot(
        cores=cgroup.cores,
        memory_bytes=cgroup.memory_bytes,
        disk_free_bytes=shutil.disk_usage(folder).free,
    )


async def _info(redis: RedisClient) -> Mapping[str, str]:
    """Return INFO as text; both forms in which a client may hand it over are read."""
    said = await redis.execute("INFO")
    if isinstance(said, dict):
        return {str(name): str(value) for name, value in said.items()}
    lines = (text.partition(":") for text in said.decode().splitlines() if not text.startswith("#"))
    return {name: value for name, colon, value in lines if colon}


async def _instance(redis: RedisClient, view: InstanceView) -> InstanceSeen:
    known = await instance_table.read(redis, view.service, view.name)

    def ago(field: str) -> float | None:
        return max(0.0, time.time() - float(known[field]) / 1000) if known.get(field) else None

    return InstanceSeen(view=view, checked_s_ago=ago("checked_at_ms"), adjusted_s_ago=ago("adjusted_at_ms"))


async def _workers(redis: RedisClient) -> tuple[WorkerSeen, ...]:
    found: list[WorkerSeen] = []
    for queue in QUEUES:
        pattern = keys.worker_ready(queue, 0).removesuffix("0") + "*"
        cursor = 0
        while True:
            raw_cursor, names = await redis.execute("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            for name in names:
                slots = await redis.execute("GET", name)
                pid = int(name.rsplit(b":", 1)[1])
                found.append(WorkerSeen(queue=queue, pid=pid, slots=int(slots or 0)))
            if not (cursor := int(raw_cursor)):
                break
    return tuple(sorted(found, key=lambda each: (each.queue, each.pid)))

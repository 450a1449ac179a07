"""Snapshot of a healthy deployment; each test makes one thing wrong."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from dispatcher.catalogue.model import Catalogue, Instance, ServiceConfig
from dispatcher.catalogue.nginx_proxy import NginxProxy, UpstreamServer
from dispatcher.control.overrides import RuntimeOverrides
from dispatcher.control.rules.tuner_state import TunerState
from dispatcher.device_simulator import TurnResult
from dispatcher.host_metrics.host import HostSample
from dispatcher.kpis.alert_rules import Alert
from dispatcher.kpis.kpi_rules import Kpi
from dispatcher.messages import QUEUES, SERVICES, Algorithm, Service
from dispatcher.ops.checks.deployment_snapshot import (
    CheckScope,
    HostSnapshot,
    InstanceSnapshot,
    Snapshot,
    WorkerSnapshot,
)
from dispatcher.ops.checks.http_probes import HttpAnswer, NginxAnswers, TypedTurn
from dispatcher.ops.checks.records_snapshot import RecordsSnapshot
from dispatcher.routing.decisions import Decision
from dispatcher.routing.instance_table import PublishedCatalogue
from dispatcher.routing.overview import InstanceView, Overview, ServiceView
from dispatcher.settings import Settings
from dispatcher.telemetry.canaries import CanaryView
from dispatcher.telemetry.front_presence import FrontCounts
from dispatcher.telemetry.kpi_store import KpiSnapshot, KpiStatus

FRONT = "http://127.0.0.1:8000"
ALGORITHMS: dict[Service, Algorithm] = {
    "asr": "least_connections",
    "llm": "response_time",
    "tts": "weighted_round_robin",
}
HEARD = TurnResult(
    transcript="hi",
    emotion="",
    sentences=(),
    transcript_ms=0.0,
    first_audio_ms=200.0,
    end_ms=900.0,
    gaps=0,
    gap_ms=0.0,
    late=0,
    dropped=0,
    refused=0,
    unplayed=0,
    frames=9,
    packets=(),
)
BOX = HostSample(
    cpu_ratio=0.5,
    memory_ratio=0.5,
    network_ratio=None,
    network_bytes_per_s=None,
    cores=4,
    memory_bytes=8_000_000_000,
)


def view(service: Service, number: int, **changed: Any) -> InstanceView:
    """Return one instance; the first of a service has twice the weight of the second."""
    fields: dict[str, Any] = {
        "service": service,
        "name": f"{service}-{number}",
        "endpoint": f"http://127.0.0.1:90{number}",
        "priority": "normal",
        "weight": 3 - number,
        "effective_weight": 3 - number,
        "cap": 4,
        "in_flight": 0,
        "state": "ready",
        "back_in_s": None,
        "latency_ewma_ms": 100.0,
        "error_ratio": 0.0,
        "failures": 0,
        "check_run": 3,
        "last_reason": "",
        "failed_s_ago": None,
    }
    return InstanceView(**{**fields, **changed})


def overview(**changed: Any) -> Overview:
    """Return two instances of each service; what is changed is changed in the first TTS instance."""
    services = tuple(
        ServiceView(
            service=service,
            algorithm=ALGORITHMS[service],
            waiting=0,
            instances=(view(service, 1, **(changed if service == "tts" else {})), view(service, 2)),
        )
        for service in SERVICES
    )
    return Overview(services=services, queues=dict.fromkeys(QUEUES, 0))


def catalogue() -> Catalogue:
    """Return the YAML that fits."""
    services = {
        service: ServiceConfig(
            service=service,
            algorithm=ALGORITHMS[service],
            instances=tuple(
                Instance(
                    service=service,
                    name=f"{service}-{number}",
                    endpoint=f"http://127.0.0.1:90{number}",
                    weight=3 - number,
                    max_concurrent=4,
                )
                for number in (1, 2)
            ),
        )
        for service in SERVICES
    }
    upstreams = (UpstreamServer(server="127.0.0.1:8000", weight=3), UpstreamServer(server="x:8001", weight=2))
    return Catalogue(path="x.yaml", services=services, nginx=NginxProxy(upstream_servers=upstreams))


def decisions(of_first: int, of_second: int) -> tuple[Decision, ...]:
    """Return so many TTS calls of each instance."""
    return tuple(
        Decision(
            at_ms=number,
            turn_id="t",
            service="tts",
            lease_id=str(number),
            instance="tts-1" if number < of_first else "tts-2",
            reason="",
            candidates=(),
        )
        for number in range(of_first + of_second)
    )


def kpi(value: float | None, *, judged: bool = True) -> KpiStatus:
    """Return the figure of errors."""
    figure = Kpi(name="errors", unit="ratio", value=value, target=0.01, alert=0.05, judged=judged)
    return KpiStatus(kpi=figure, alert=Alert())


def _redis(shown: Overview) -> dict[str, Any]:
    """Return what is read of Redis."""
    yaml = catalogue()
    return {
        "active": PublishedCatalogue(revision=3, activated_at_ms=0, catalogue=yaml),
        "redis": {"maxmemory_policy": "volatile-ttl", "maxmemory": "268435456", "used_memory": "9000000"},
        "overview": shown,
        "instances": tuple(
            InstanceSnapshot(view=one, checked_s_ago=2.0, adjusted_s_ago=30.0) for one in shown.instances
        ),
        "workers": tuple(
            WorkerSnapshot(queue=queue, process=f"box:{at}", slots=8) for at, queue in enumerate(QUEUES, 1)
        ),
        "canaries": tuple(
            CanaryView(queue=queue, consumed_s_ago=1.0, delay_ms=3.0, period_s=5.0, lost=False)
            for queue in QUEUES
        ),
        "fronts": {"front-1": FrontCounts(devices=2, busy=1, in_turn=1, turns_begun=9)},
        "overrides": RuntimeOverrides(),
        "tuner": TunerState(),
        "tuner_rows": (),
        "decisions": {"asr": (), "llm": decisions(1, 0), "tts": decisions(60, 30)},
    }


def snapshot(tmp_path: Path, **changed: Any) -> Snapshot:
    """Return a deployment in which nothing is wrong but what is changed."""
    now_s = time.time()
    fields: dict[str, Any] = {
        **_redis(changed.get("overview", overview())),
        "scope": CheckScope(settings=Settings(data_dir=tmp_path), fronts=(FRONT,)),
        "now_s": now_s,
        "file": catalogue(),
        "file_problem": "",
        "host": HostSnapshot(cores=4, memory_bytes=8_000_000_000, disk_free_bytes=10_000_000_000),
        "kpis": KpiSnapshot(judged_at_s=now_s, host="h", standings=(kpi(0.0),), box=BOX, processes=()),
        "records": RecordsSnapshot(where="sqlite:///x", version="0001", newest="0001", turns=0),
        "backup": None,
        "answers": {FRONT: HttpAnswer(status=200, text="{}")},
        "front_health": {FRONT: HttpAnswer(status=200, text='{"weight": 3}')},
        "nginx_files": None,
        "compose": None,
        "scrape": None,
        "webhook": None,
        "nginx": NginxAnswers(by_server={"a": 30, "b": 20}),
        "flower": HttpAnswer(status=401, text=""),
        "turn": TypedTurn(address="ws://x", result=HEARD),
    }
    return Snapshot(**{**fields, **changed})

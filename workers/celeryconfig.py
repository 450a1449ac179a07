"""Celery's settings, each with the reason where the default would hurt (docs/celery.md)."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from celery.beat import BeatLazyFunc
from kombu.entity import Queue

from dispatcher.catalogue.model import HealthRules
from dispatcher.data_dir import make_private
from dispatcher.errors import ConfigError, StartError
from dispatcher.messages import (
    ADJUST_WEIGHTS,
    CANARY,
    CHECK_HEALTH,
    CONTROL_QUEUE,
    DRAIN_RECORDS,
    JUDGE_KPIS,
    KEEP_DEVICES,
    KEEP_RECORDS,
    PREFILL,
    QUEUES,
    REMEMBER,
    RESPOND,
    SYNTHESIZE,
    TRANSCRIBE,
    TUNE,
)
from dispatcher.redis_client.client import REDIS_RECONNECT_TIMEOUT_S
from dispatcher.redis_url import kombu_options, kombu_url, parse_redis_url
from dispatcher.routing.initial_catalogue import starting_catalogue
from dispatcher.settings import Settings, load_settings
from dispatcher.telemetry.canaries import LOST_AFTER_PERIODS
from workers.celery_ext.beat import tick_entry
from workers.celery_ext.transport import use_dropping_transports

CONFIG_EXIT_CODE = 2


def _begin() -> tuple[Settings, HealthRules]:
    """Return settings and health rules; Celery would show what is wrong with them as a long traceback."""
    if Path(sys.argv[0]).name == "celery":  # not who only sends tasks, or looks at these settings
        make_private()
    try:
        settings = load_settings()
        return settings, starting_catalogue(settings).health
    except (ConfigError, StartError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(CONFIG_EXIT_CODE) from error


_settings, _health = _begin()
_PUBLISH_RETRY_INTERVAL_S = 0.2
_redis = parse_redis_url(_settings.redis_url)

use_dropping_transports()
broker_url = kombu_url(_redis)
broker_use_ssl = _redis.tls_options() or None
# A dead broker is waited for, however long: the supervisor would only start the same process again.
broker_connection_max_retries = None
broker_connection_retry_on_startup = True
# Celery waits for two seconds before it tries again, and for two more each time: longer than a restart takes.
worker_consumer = "workers.celery_ext.consumer:QuickConsumer"
# The next task of a chain is sent for as long as a client waits; the default gives up after 0.6 s.
task_publish_retry_policy = {
    "max_retries": round(REDIS_RECONNECT_TIMEOUT_S / _PUBLISH_RETRY_INTERVAL_S),
    "interval_start": 0.05,
    "interval_step": 0.05,
    "interval_max": _PUBLISH_RETRY_INTERVAL_S,
}
broker_transport_options = {
    **kombu_options(_redis),
    "health_check_interval": 10,
    "visibility_timeout": 60,
    # Without the bookkeeping of unacknowledged messages throughput doubles; a killed worker's tasks
    # are not redelivered, which voice does not want anyway: the front sends a late stage again.
    "ack_emulation": False,
}
result_backend = None
task_ignore_result = True
task_store_errors_even_if_ignored = False
task_acks_late = False
worker_prefetch_multiplier = 1
accept_content = ["json"]
task_serializer = "json"
event_serializer = "json"
# Each by its own key: the default would bind every queue to the key of the default one.
task_queues = [Queue(name, routing_key=name) for name in QUEUES]
# Routed here and not by the tasks: Celery calls the attribute `queue` of a task deprecated.
task_routes = {task: {"queue": task.split(".")[0]} for task in (TRANSCRIBE, RESPOND, SYNTHESIZE, PREFILL)}
task_default_queue = CONTROL_QUEUE
task_create_missing_queues = False
worker_send_task_events = _settings.task_events
worker_hijack_root_logger = False
worker_redirect_stdouts = False
timezone = "UTC"

beat_scheduler = "workers.celery_ext.beat:BoundedScheduler"


def _tick(task: str, every_s: float) -> dict[str, Any]:
    """Return an entry of the table below; its task is wrapped in `once_per_tick` (workers/control.py)."""
    return tick_entry(task, every_s * _settings.tick_scale, queue=CONTROL_QUEUE)


def _canary(queue: str) -> dict[str, Any]:
    """Return the entry that shows whether a queue is consumed; one that is late is still of use."""
    period_s = CANARY_PERIOD_S * _settings.tick_scale
    sent_at_s = BeatLazyFunc(time.time)
    expires_s = LOST_AFTER_PERIODS * period_s
    return tick_entry(CANARY, period_s, queue=queue, expires_s=expires_s, args=(queue, period_s, sent_at_s))


# All that happens by the clock, and how often, in seconds.
CANARY_PERIOD_S = 5.0
beat_schedule = {
    "tune": _tick(TUNE, 60.0),
    "check health": _tick(CHECK_HEALTH, _health.interval_s),
    "judge kpis": _tick(JUDGE_KPIS, 5.0),
    "adjust weights": _tick(ADJUST_WEIGHTS, 60.0),
    # Each tick costs beat, broker and control worker 5 ms of CPU, also where nobody speaks.
    "drain records": _tick(DRAIN_RECORDS, 3.0),
    "keep records": _tick(KEEP_RECORDS, 3600.0),
    "keep devices": _tick(KEEP_DEVICES, 10.0),
    "remember": _tick(REMEMBER, 30.0),
    **{f"canary of {queue}": _canary(queue) for queue in QUEUES},
}
# Thirty times as many as the tasks of turns, they would hide these from whoever watches events, as in Flower.
task_annotations = {entry["task"]: {"send_events": False} for entry in beat_schedule.values()}

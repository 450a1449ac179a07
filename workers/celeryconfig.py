"""Celery's settings, each with the reason where the default would hurt (docs/celery.md)."""

from __future__ import annotations

from kombu.entity import Queue

from dispatcher.catalogue import load_catalogue
from dispatcher.contracts import CHECK_HEALTH, CONTROL_QUEUE, QUEUES, RESPOND, SYNTHESIZE, TRANSCRIBE
from dispatcher.settings import load_settings

_settings = load_settings()
_health = load_catalogue(_settings.dispatcher_config).health

broker_url = _settings.redis_url
# A dead broker is waited for, however long: the supervisor would only start the same process again.
broker_connection_max_retries = None
broker_connection_retry_on_startup = True
broker_transport_options = {
    "socket_keepalive": True,
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
task_routes = {task: {"queue": task.split(".")[0]} for task in (TRANSCRIBE, RESPOND, SYNTHESIZE)}
task_default_queue = CONTROL_QUEUE
task_create_missing_queues = False
worker_send_task_events = _settings.task_events
worker_hijack_root_logger = False
worker_redirect_stdouts = False
timezone = "UTC"

beat_schedule_filename = str(_settings.data_dir / "beat-schedule")
beat_schedule = {
    "check health": {
        "task": CHECK_HEALTH,
        "schedule": _health.interval_s,
        "options": {"queue": CONTROL_QUEUE, "expires": _health.interval_s},
    },
}

"""The Celery application; `celery -A workers` finds it here."""

from __future__ import annotations

from celery import Celery

app = Celery(
    "workers",
    include=["workers.asr", "workers.llm", "workers.tts", "workers.control", "workers.signals"],
    task_cls="workers.celery_ext.requests:QuietTask",
)
app.config_from_object("workers.celeryconfig")

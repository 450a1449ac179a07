"""The Celery application; `celery -A workers` finds it here."""

from __future__ import annotations

import atexit
import gc

from celery import Celery

app = Celery(
    "workers",
    include=["workers.asr", "workers.llm", "workers.tts", "workers.control", "workers.signals"],
    task_cls="workers.celery_ext.requests:QuietTask",
)
app.config_from_object("workers.celeryconfig")
# At the end of a process nothing is collected any more: that took half a second of CPU for each worker.
atexit.register(gc.freeze)

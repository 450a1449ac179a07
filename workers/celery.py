"""The Celery application; `celery -A workers` finds it here."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from celery import Celery

from dispatcher.messages import CONTROL_QUEUE

COMMON_MODULES: Final = ("workers.canary", "workers.log_form", "workers.signals")
# A worker takes over the queues of stages whose workers are all lost, so each has the tasks of all stages.
TURN_MODULES: Final = ("workers.asr", "workers.llm", "workers.tts", *COMMON_MODULES)
BEAT_MODULES: Final = ("workers.log_form",)
CONTROL_MODULE: Final = "workers.control"


def task_modules(argv: Sequence[str]) -> list[str]:
    """Return the modules of the tasks of a process: those of its queues; none for beat, which sends by name.

    Those that it does not need take 10 to 30 MB of memory and half a second of CPU at its start.
    """
    words = list(argv[1:])
    if Path(argv[0]).name != "celery" or not words:
        return [*TURN_MODULES, CONTROL_MODULE]
    if "beat" in words:
        return [*BEAT_MODULES]
    options = [f"{word}={following}" for word, following in zip(words, [*words[1:], ""], strict=True)]
    queues = [
        name
        for option in [*options, *words]
        for flag in ("-Q=", "--queues=")
        if option.startswith(flag)
        for name in option.removeprefix(flag).split(",")
    ]
    if set(queues) == {CONTROL_QUEUE}:  # it takes over no other queue
        return [*COMMON_MODULES, CONTROL_MODULE]
    return [*TURN_MODULES] if queues and CONTROL_QUEUE not in queues else [*TURN_MODULES, CONTROL_MODULE]


app = Celery("workers", include=task_modules(sys.argv), task_cls="workers.celery_ext.requests:QuietTask")
app.config_from_object("workers.celeryconfig")
# At the end of a process nothing is collected any more: that took half a second of CPU for each worker.
atexit.register(gc.freeze)

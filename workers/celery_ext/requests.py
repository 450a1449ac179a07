"""What others see of a task in Flower, in `celery inspect` and in events: names and ids, never what was said.

Messages bring a description of their arguments along (`dispatcher.chains`); here nothing else gets out.
"""

from __future__ import annotations

from typing import Any

from celery import Task
from celery.worker.request import Request

# What a task returns is the next one's argument, and an error's text may quote what it failed on.
_TELLTALE = frozenset({"result", "traceback"})


class QuietRequest(Request):
    """A task in a worker, as it tells others of itself."""

    def info(self, safe: bool = False) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002  Celery's signature
        """Return what `inspect active` and its like answer, always without the arguments themselves."""
        return dict(super().info(safe=True))

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002  Celery's signature
        """Send a task event; of an error only its kind is told, the log has the rest."""
        told = {name: value for name, value in fields.items() if name not in _TELLTALE}
        if "exception" in told:
            told["exception"] = str(told["exception"]).partition("(")[0]
        super().send_event(type, **told)


class QuietTask(Task):
    """The base of all tasks."""

    Request = "workers.celery_ext.requests:QuietRequest"

"""Requests without content in Flower, `celery inspect` and events: names and ids, never what a user said.

Messages bring a description of their arguments along (`dispatcher.chains`); nothing else leaves a worker.
"""

from __future__ import annotations

from typing import Any

from celery import Task
from celery.worker.request import Request

# A task's result is the next one's argument, and an error's text may quote what it failed on.
_CONTENT_FIELDS = frozenset({"result", "traceback"})


class QuietRequest(Request):
    """A task in a worker, as others see it."""

    def info(self, safe: bool = False) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002  Celery's signature
        """Return the answer of `inspect active` and its like, always without the arguments themselves."""
        return dict(super().info(safe=True))

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002  Celery's signature
        """Send a task event; of an error only its kind, the log has the rest."""
        shown = {name: value for name, value in fields.items() if name not in _CONTENT_FIELDS}
        if "exception" in shown:
            shown["exception"] = str(shown["exception"]).partition("(")[0]
        super().send_event(type, **shown)


class QuietTask(Task):
    """The base of all tasks.

    Attributes:
        is_on_loop: it waits by `WorkerContext.run` and for nothing else, so it may run on the loop's thread.
    """

    is_on_loop = False
    Request = "workers.celery_ext.requests:QuietRequest"

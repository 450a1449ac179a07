"""Remote control of workers by Celery's `inspect` and `control`, checked by what the workers answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from dispatcher.control.rules.evidence import WorkerEvidence
from dispatcher.errors import ActionRefused, StateError
from dispatcher.messages import CONTROL_QUEUE

# An inspection of unknown workers always takes the whole of this.
INSPECT_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class CeleryWorkerControl:
    """`WorkerControl` over the broker of an application."""

    app: Celery

    def read_workers(self) -> tuple[WorkerEvidence, ...]:
        """Return every worker that answers and serves one queue alone; blocks for about a second."""
        try:
            stats: dict[str, Any] = self.app.control.inspect(timeout=INSPECT_TIMEOUT_S).stats() or {}
            if not stats:
                return ()
            named = self.app.control.inspect(destination=list(stats), timeout=INSPECT_TIMEOUT_S)
            queues: dict[str, Any] = named.active_queues() or {}
        except (OperationalError, RedisError) as error:
            raise StateError(f"the workers cannot be asked: {error}") from error
        return tuple(
            _evidence(name, queues[name][0]["name"], answer)
            for name, answer in sorted(stats.items())
            if len(queues.get(name, ())) == 1
        )

    def resize_pool(self, worker: str, by: int) -> None:
        """Let a worker run so many more tasks at once, or fewer."""
        control = self.app.control
        resize = control.pool_grow if by > 0 else control.pool_shrink
        answers = resize(abs(by), destination=[worker], reply=True, timeout=INSPECT_TIMEOUT_S) or []
        refused = [answer["error"] for each in answers for answer in each.values() if "error" in answer]
        if refused:
            raise ActionRefused(f"{worker}: {refused[0]}")

    def stop_worker(self, worker: str) -> None:
        """Send a worker Celery's warm shutdown."""
        self.app.control.broadcast("shutdown", destination=[worker])

    def send_task(self, task: str) -> None:
        """Send a task to the control queue now."""
        self.app.send_task(task, queue=CONTROL_QUEUE)


def _evidence(name: str, queue: str, answer: dict[str, Any]) -> WorkerEvidence:
    kilobytes = answer.get("rusage", {}).get("maxrss")
    return WorkerEvidence(
        name=name,
        queue=queue,
        pool=int(answer.get("pool", {}).get("max-concurrency", 0)),
        memory_bytes=int(kilobytes) * 1024 if kilobytes else None,
    )

"""Remote control of worker processes, as the tuner needs it; `workers/celery_ext` implements it."""

from __future__ import annotations

from typing import Protocol

from dispatcher.control.rules.evidence import WorkerEvidence


class WorkerControl(Protocol):
    """Control of all workers of a deployment. Each method blocks, for about a second at most.

    Every one of them raises StateError when the broker is out of reach.
    """

    def read_workers(self) -> tuple[WorkerEvidence, ...]:
        """Return every worker that answers and serves one queue alone."""

    def resize_pool(self, worker: str, by: int) -> None:
        """Let a worker run so many more tasks at once, or fewer.

        Raises:
            ActionRefused: the worker refuses.
        """

    def stop_worker(self, worker: str) -> None:
        """End a worker: it takes nothing new and ends what it works on; its supervisor starts it again."""

    def send_task(self, task: str) -> None:
        """Send a task to the control queue now."""

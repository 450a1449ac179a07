"""Schedule of beat: on the marks of the clock, so that all beats of a deployment send at the same moments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import structlog
from celery import beat
from celery.schedules import schedstate, schedule
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

# A tick carries its period in this header; a task that was sent by hand has none and always runs.
PERIOD_HEADER: Final = "tick_period_s"
# A queue of this length is not consumed, or not quickly enough. A message that expired is dropped by the
# worker that takes it, and without a worker nothing takes one.
MAX_QUEUED: Final = 100


class AlignedSchedule(schedule):
    """Due whenever Unix time passes a multiple of the period.

    Beats that were started at different moments agree on these, and none has to remember when it last sent:
    the second message of a mark is dropped by the worker, and when one beat dies the other's next is in time.
    """

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Return whether a mark was passed since, and in how many seconds the next one is."""
        period_s = self.run_every.total_seconds()
        now_s = self.now().timestamp()
        mark_s = now_s // period_s * period_s
        return schedstate(last_run_at.timestamp() < mark_s, mark_s + period_s - now_s)


class BoundedScheduler(beat.Scheduler):
    """Celery's scheduler in memory, which adds nothing to a queue that no worker consumes.

    Nothing is kept on disk: the marks of the clock are enough to know what is due, and two beats in one
    DATA_DIR would wait for each other's file.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Begin without a failure."""
        self._failures: dict[str, str] = {}
        super().__init__(*args, **options)

    def apply_async(self, entry: beat.ScheduleEntry, producer: Any = None, **options: Any) -> Any:
        """Send an entry's task, unless its queue is full or the broker unreachable, which is logged once."""
        queue = entry.options["queue"]
        failure = _failure(producer or self.producer, queue)
        if failure and failure != self._failures.get(queue):
            log.warning("beat sends nothing", queue=queue, reason=failure)
        self._failures[queue] = failure
        return None if failure else super().apply_async(entry, producer=producer, **options)


def _failure(producer: Any, queue: str) -> str:
    """Return why nothing can be sent to a queue, or an empty text."""
    try:
        waiting = producer.channel.client.llen(queue)
    except (RedisError, OSError) as error:
        return f"broker: {error}"
    return f"{MAX_QUEUED} messages wait that no worker takes" if waiting >= MAX_QUEUED else ""


def tick_entry(
    task: str, every_s: float, *, queue: str, expires_s: float | None = None, args: Sequence[Any] = ()
) -> dict[str, Any]:
    """Return the entry of beat's schedule that sends a task every so many seconds.

    A message that no worker took within its period is worth nothing any more and expires.
    """
    return {
        "task": task,
        "schedule": AlignedSchedule(every_s),
        "args": tuple(args),
        "options": {"queue": queue, "expires": expires_s or every_s, "headers": {PERIOD_HEADER: every_s}},
    }

"""When beat sends: on the marks of the clock, so that all beats of a deployment send at the same moments."""

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
# A queue of this length is not consumed, or not quickly enough: one more message would only lie there. Those
# that expired are thrown away by whoever takes them, and without a worker nobody does.
MOST_WAITING: Final = 100


class OnTheMark(schedule):
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


class Scheduler(beat.Scheduler):
    """Celery's scheduler in memory, which adds nothing to a queue that nobody consumes.

    Nothing is kept on disk: the marks of the clock are enough to know what is due, and two beats in one
    DATA_DIR would wait for each other's file.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Know of no trouble yet."""
        self._trouble: dict[str, str] = {}
        super().__init__(*args, **options)

    def apply_async(self, entry: beat.ScheduleEntry, producer: Any = None, **options: Any) -> Any:
        """Send an entry's task, unless its queue is full or the broker away, which is told once."""
        queue = entry.options["queue"]
        trouble = _trouble(producer or self.producer, queue)
        if trouble and trouble != self._trouble.get(queue):
            log.warning("beat sends nothing", queue=queue, reason=trouble)
        self._trouble[queue] = trouble
        return None if trouble else super().apply_async(entry, producer=producer, **options)


def _trouble(producer: Any, queue: str) -> str:
    """Return why nothing can be sent to a queue, or an empty text."""
    try:
        waiting = producer.channel.client.llen(queue)
    except (RedisError, OSError) as error:
        return f"broker: {error}"
    return f"{MOST_WAITING} messages wait that nobody takes" if waiting >= MOST_WAITING else ""


def tick(
    task: str, every_s: float, *, queue: str, expires_s: float | None = None, args: Sequence[Any] = ()
) -> dict[str, Any]:
    """Return the entry of beat's schedule that sends a task every so many seconds.

    A message that nobody took in time, which is within its period, is worth nothing any more and expires.
    """
    return {
        "task": task,
        "schedule": OnTheMark(every_s),
        "args": tuple(args),
        "options": {"queue": queue, "expires": expires_s or every_s, "headers": {PERIOD_HEADER: every_s}},
    }

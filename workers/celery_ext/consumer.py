"""Celery's consumer: reconnects quickly, and drops messages that are no task of ours."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Any, Final

import structlog
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

from dispatcher.messages import SERVICES
from workers.celery_ext.loop_consumer import CHANNEL, LoopConsumer
from workers.celery_ext.taken import TAKEN
from workers.celery_ext.transport import drop_message

log = structlog.get_logger(__name__)
# kombu logs through it what it cannot reject.
stdlib_log = logging.getLogger(__name__)

RECONNECT_FIRST_INTERVAL_S: Final = 0.05
RECONNECT_INTERVAL_STEP_S: Final = 0.05
# For a broker that stays away: often enough to be back in time, seldom enough to cost nothing.
RECONNECT_MAX_INTERVAL_S: Final = 1.0


class QuickConsumer(Consumer):
    """Connects again within a fraction of a second; tries for ever, as `broker_connection_max_retries` says.

    Celery's own intervals (2, 4, 6 ... 30 s) are in its code and in no setting. They made each restart of the
    broker last for two seconds at least, however quickly it was back.
    """

    _taken_over: frozenset[str] | set[str] = frozenset()

    def ensure_connected(self, conn: Any) -> Any:
        """Return the connection once it is good."""
        logged = ""

        def log_once(error: Exception, _interval_s: float) -> None:
            nonlocal logged
            if str(error) != logged:  # once, not twice a second until it is back
                logged = str(error)
                log.error("broker out of reach", reason=logged)

        connected = conn.ensure_connection(
            log_once,
            self.app.conf.broker_connection_max_retries,
            interval_start=RECONNECT_FIRST_INTERVAL_S * (1 + random.random()),  # noqa: S311  jitter
            interval_step=RECONNECT_INTERVAL_STEP_S,
            interval_max=RECONNECT_MAX_INTERVAL_S,
            callback=maybe_shutdown,
        )
        self.first_connection_attempt = False
        return connected

    def call_soon_ack(self, p: Any, *args: Any, **kwargs: Any) -> Any:
        """Acknowledge at once where the main thread has nothing to do with it."""
        message = getattr(p, "__self__", None)
        if getattr(message, "channel", None) is not CHANNEL:
            return super().call_soon_ack(p, *args, **kwargs)
        return p(*args, **kwargs)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Any:
        """Return what hands a message to its task; one that waits for a time needs the hub's timer."""
        handle = super().create_task_handler(*args, **kwargs)

        def handle_now_or_later(message: Any) -> None:
            headers = message.headers
            if headers.get("eta") or self.task_buckets.get(headers.get("task")):
                self.call_soon(self._handle_guarded, handle, message)
            else:
                handle(message)

        return handle_now_or_later if isinstance(self.task_consumer, LoopConsumer) else handle

    def _handle_guarded(self, handle: Callable[[Any], Any], message: Any) -> None:
        try:
            handle(message)
        except Exception as error:  # noqa: BLE001  a message may be wrong in any way
            self._drop(message, f"no message of Celery ({type(error).__name__})")

    def take_over(self, missed: set[str]) -> None:
        """Consume also the queues whose workers are all lost, until one is back.

        Called from another thread. Every worker knows every task, and one that is started takes seconds.
        """
        own = set(TAKEN.queues)
        wanted = missed & set(SERVICES) - own if own & set(SERVICES) else set()
        before, self._taken_over = self._taken_over, wanted
        for queue in wanted - before:
            log.warning("queue has no worker left, taken over", queue=queue)
            self.call_soon(self._change_queue, self.add_task_queue, queue)
        for queue in before - wanted:
            log.info("queue has a worker again", queue=queue)
            self.call_soon(self._change_queue, self.cancel_task_queue, queue)

    def _change_queue(self, change: Callable[[str], Any], queue: str) -> None:
        try:
            change(queue)
        except Exception as error:  # noqa: BLE001  the next connection is made with the queues as they are then
            log.warning("queue not changed", queue=queue, reason=type(error).__name__)

    def on_unknown_message(self, body: Any, message: Any) -> None:  # noqa: ARG002  Celery's signature
        """Drop a message that names no task. Celery would log all that it holds."""
        self._drop(message, "it names no task")

    def on_unknown_task(self, body: Any, message: Any, exc: BaseException) -> None:  # noqa: ARG002  likewise
        """Drop a task of another version, or of another program."""
        self._drop(message, "no task of this version has its name")

    def on_invalid_task(self, body: Any, message: Any, exc: BaseException) -> None:  # noqa: ARG002  likewise
        """Drop a task whose description is wrong."""
        self._drop(message, f"no task of Celery ({type(exc).__name__})")

    def on_decode_error(self, message: Any, exc: BaseException) -> None:
        """Drop a message whose body cannot be read."""
        self._drop(message, f"its body cannot be read ({type(exc).__name__})")

    def _drop(self, message: Any, reason: str) -> None:
        queue = message.delivery_info.get("routing_key") if isinstance(message.delivery_info, dict) else None
        drop_message(message.channel, queue, reason)
        message.reject_log_error(stdlib_log, self.connection_errors)

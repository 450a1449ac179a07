"""Task events only while somebody watches: they cost every turn 7 to 13 ms of CPU."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger("flower.watch")

# Workers that start later learn of it by the repetition.
REPEAT_S = 5.0
# A worker that just connects again misses a message; one message more finds it.
TIMES_OFF = 3


class Watch:
    """Turns the workers' task events on when a request came, and off when none came for a while.

    A Flower that was killed may have left them on, so it begins by turning them off.
    """

    def __init__(
        self,
        *,
        enable: Callable[[], object],
        disable: Callable[[], object],
        idle_s: float,
        broker_errors: tuple[type[Exception], ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the two messages to all workers; nothing is sent yet.

        Args:
            enable: asks all workers to send task events.
            disable: asks them to stop.
            idle_s: how long after the last request nobody watches any more.
            broker_errors: what the two raise when the broker is unreachable.
            clock: monotonic, in seconds.
        """
        self._enable = enable
        self._disable = disable
        self._idle_s = idle_s
        self._broker_errors = broker_errors
        self._clock = clock
        self._last_request_s = float("-inf")
        self._watched = False
        self._times_off = TIMES_OFF
        self._wake = threading.Event()

    def start(self) -> None:
        """Begin, in a thread of its own that ends with the process."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def note_request(self) -> None:
        """Somebody looks; events are on a moment later."""
        self._last_request_s = self._clock()
        if not self._watched:
            self._wake.set()

    def step(self) -> None:
        """Send what is to be sent now; a broker that is unreachable is tried again by the next step."""
        watched = self._clock() - self._last_request_s < self._idle_s
        if watched != self._watched:
            log.info("task events are on: somebody watches" if watched else "task events are off")
            self._watched, self._times_off = watched, TIMES_OFF
        try:
            if watched:
                self._enable()
            elif self._times_off:
                self._disable()
                self._times_off -= 1
        except self._broker_errors as error:
            log.warning("task events: the broker is unreachable: %s", type(error).__name__)

    def end(self) -> None:
        """Turn events off because this process stops."""
        self._last_request_s = float("-inf")
        self.step()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            self.step()
            self._wake.wait(min(REPEAT_S, self._idle_s / 4))

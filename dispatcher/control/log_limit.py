"""Pace of a log line that would repeat: the first at once, then one in each interval."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class LogLimit:
    """Counts events, and says when they may be logged; used from any thread."""

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Let the first event be logged."""
        self._interval_s = interval_s
        self._clock = clock
        self._lock = threading.Lock()
        self._logged_at_s = float("-inf")
        self._events = 0

    def count(self) -> int:
        """Count an event; return how many came since the last line where one may be logged now, else 0."""
        with self._lock:
            self._events += 1
            if self._clock() - self._logged_at_s < self._interval_s:
                return 0
            events, self._events, self._logged_at_s = self._events, 0, self._clock()
            return events

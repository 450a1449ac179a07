"""Notices to the front that a stage waits for a free slot, so that it is not sent a second time."""

from __future__ import annotations

import math
from typing import Final

from dispatcher.pipeline.attempt import CallProfile, now
from dispatcher.pipeline.stage import reply
from dispatcher.pipeline.worker_context import WorkerContext

# The front waits for a stage for two seconds at least.
WAIT_NOTICE_INTERVAL_S: Final = 1.0


class WaitNotice:
    """Notices of one call."""

    def __init__(self, context: WorkerContext, profile: CallProfile) -> None:
        """Send nothing yet: most calls never wait."""
        self._context = context
        self._profile = profile
        self._sent_at = -math.inf

    def note(self) -> None:
        """Let the front know that the call waits, once a second at most."""
        is_early = now() - self._sent_at < WAIT_NOTICE_INTERVAL_S
        if is_early or not self._context.catalogue.overload.enabled:
            return
        self._sent_at = now()
        profile = self._profile
        reply(self._context, profile.ticket, "waiting", index=profile.index, text=profile.service)

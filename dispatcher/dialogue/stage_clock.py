"""Deadline of the stage that a turn waits for, and the time that its LLM spent thinking."""

from __future__ import annotations

import math
from typing import Final

from dispatcher.dialogue.steps import Stage
from dispatcher.messages import TOOL_TIMEOUT_S, ReplyKind

# Replies of a worker that was lost may still come.
LAST_REPLIES_S: Final = 1.0


class StageClock:
    """Times of the stage that is waited for, of the last reply and of the tool at work.

    Attributes:
        alive_s: time that the LLM spent thinking, which counts for no deadline.
    """

    def __init__(
        self, now: float, stage_timeout_s: float, *, stage: Stage = "asr", turn_timeout_s: float = math.inf
    ) -> None:
        """Start to wait for the first stage."""
        self.alive_s = 0.0
        self._stage = stage
        self._stage_since = self._replied_at = self._tool_until = now
        self._stage_timeout_s = stage_timeout_s
        self._turn_ends_at = now + turn_timeout_s

    @property
    def late_at(self) -> float:
        """Time at which the stage that is waited for counts as late."""
        return max(self._replied_at, self._tool_until) + self._stage_timeout_s

    def begun_s(self, now: float) -> float:
        """Return for how long the stage has been waited for."""
        return now - self._stage_since

    def is_given_up(self, now: float, unserved_s: float) -> bool:
        """Return whether no worker is to be expected, after `unserved_s` without one, nor a reply."""
        return unserved_s >= self._stage_timeout_s and self._waited_s(now) >= LAST_REPLIES_S

    def try_expire(self, now: float, queued_s: float) -> bool:
        """Return whether the stage is late; the wait begins anew in any case once its time is over.

        One that may still be in its queue, whose oldest task is `queued_s` old, is not late until the turn
        should be over.
        """
        if now < self.late_at:
            return False
        is_queued = queued_s >= self._waited_s(now) and now < self._turn_ends_at + self.alive_s
        self.restart(now)
        return not is_queued

    def on_reply(self, kind: ReplyKind, now: float) -> None:
        """Begin the wait anew with a reply."""
        if kind == "alive":
            self.alive_s += now - self._replied_at
        self._replied_at = now

    def note_stage(self, stage: Stage, now: float) -> None:
        """Note the stage that is waited for from here on."""
        if stage != self._stage:
            self._stage, self._stage_since = stage, now

    def start_tool(self, *, is_last: bool) -> None:
        """Give a tool its time on top, unless it ended with this reply."""
        self._tool_until = self._replied_at + (0 if is_last else TOOL_TIMEOUT_S)

    def restart(self, now: float) -> None:
        """Begin the wait anew: the stage was sent again, still waits for a slot, or its tool has ended."""
        self._replied_at = now

    def end_tool(self, now: float) -> None:
        """Count the LLM's time again."""
        self._replied_at = self._tool_until = now

    def _waited_s(self, now: float) -> float:
        """Return for how long nothing was received."""
        return now - max(self._replied_at, self._tool_until)

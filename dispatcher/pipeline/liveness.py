"""Liveness of a reply: signs of life for the front, and thinking time that no deadline counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from dispatcher.pipeline.attempt import now

# The front waits for a stage for two seconds at least.
ALIVE_INTERVAL_S: Final = 1.0


class Liveness:
    """Signs of life of the streams that write one reply.

    Attributes:
        deadline_at_s: of the turn, moved on by what its models thought.
    """

    def __init__(
        self,
        send_alive: Callable[[], None],
        deadline: asyncio.Timeout,
        *,
        deadline_at_s: float,
        thinking_timeout_s: float,
    ) -> None:
        """Begin now; `send_alive` is called about once a second, `deadline` is moved with `deadline_at_s`."""
        self.deadline_at_s = deadline_at_s
        self._send_alive = send_alive
        self._deadline = deadline
        self._thinking_left_s = thinking_timeout_s
        self._thinking_since: float | None = None
        self._sent_at = now()
        self._heartbeat: asyncio.TimerHandle | None = None

    def mark_sent(self) -> None:
        """Note that the front was sent something, which is a sign of life as well."""
        self._sent_at = now()

    def mark_alive(self, *, is_thinking: bool) -> None:
        """Take in a sign of life of a stream; one that thinks is alive until `stop_heartbeat`."""
        self._extend_deadline()
        self._thinking_since = now() if is_thinking else None
        if now() - self._sent_at >= ALIVE_INTERVAL_S:
            self._send_alive()
        if not is_thinking:
            self.stop_heartbeat()
        elif self._heartbeat is None:
            self._heartbeat = asyncio.get_running_loop().call_later(ALIVE_INTERVAL_S, self._beat)

    def stop_heartbeat(self) -> None:
        """Send no sign of life of itself any more."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None

    def _beat(self) -> None:
        """Bridge the signs of life of a stream that thinks, which may be ten seconds apart."""
        self._heartbeat = None
        self.mark_alive(is_thinking=True)

    def _extend_deadline(self) -> None:
        if self._thinking_since is None or self._thinking_left_s <= 0:
            return
        gained_s = min(now() - self._thinking_since, self._thinking_left_s)
        self._thinking_left_s -= gained_s
        self.deadline_at_s += gained_s
        when = self._deadline.when()
        self._deadline.reschedule(None if when is None else when + gained_s)

"""States of a kept process, and the events that lead from one to the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final, Literal

State = Literal["waiting", "starting", "ready", "restarting", "backing off", "failed", "stopping", "stopped"]
Event = Literal["start", "serve", "restart", "exit", "give up", "stop", "end"]

# An event without a row changes nothing: a process that is stopping does not become ready any more.
TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    ("waiting", "start"): "starting",
    ("waiting", "stop"): "stopped",
    ("starting", "serve"): "ready",
    ("starting", "restart"): "restarting",
    ("starting", "exit"): "backing off",
    ("starting", "give up"): "failed",
    ("starting", "stop"): "stopping",
    ("ready", "restart"): "restarting",
    ("ready", "exit"): "backing off",
    ("ready", "stop"): "stopping",
    ("restarting", "exit"): "backing off",
    ("restarting", "give up"): "failed",
    ("restarting", "stop"): "stopping",
    ("backing off", "start"): "starting",
    ("backing off", "give up"): "failed",
    ("backing off", "stop"): "stopping",
    ("stopping", "end"): "stopped",
}
FINAL: Final[frozenset[State]] = frozenset({"failed", "stopped"})


class ProcessLifecycle:
    """The state of one kept process.

    Attributes:
        state: `waiting` before the first start; `restarting` while it ends on request, to be started anew;
            `backing off` between an exit and the next start; `failed` and `stopped` at the end.
        changed_at_s: when the state began, on the clock.
        before_lasted_s: how long the state before it lasted; of a ready process, its start.
    """

    def __init__(
        self, on_change: Callable[[], None] = lambda: None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin as `waiting`.

        Args:
            on_change: called after each change of the state.
            clock: seconds from any beginning.
        """
        self.state: State = "waiting"
        self.changed_at_s = clock()
        self.before_lasted_s = 0.0
        self._on_change = on_change
        self._clock = clock
        self._waiters: list[tuple[frozenset[State], asyncio.Future[State]]] = []

    def apply(self, event: Event) -> bool:
        """Enter the state that an event leads to; return False where it leads nowhere from here."""
        following = TRANSITIONS.get((self.state, event))
        if following is None:
            return False
        now_s = self._clock()
        self.before_lasted_s, self.changed_at_s = now_s - self.changed_at_s, now_s
        self.state = following
        for states, waiter in self._waiters:
            if following in states and not waiter.done():
                waiter.set_result(following)
        self._on_change()
        return True

    async def wait_for(self, *states: State) -> State:
        """Return the state once it is one of these or final; also one that lasts for a moment only."""
        wanted = frozenset(states) | FINAL
        if self.state in wanted:
            return self.state
        waiter: asyncio.Future[State] = asyncio.get_running_loop().create_future()
        entry = (wanted, waiter)
        self._waiters.append(entry)
        try:
            return await waiter
        finally:
            self._waiters.remove(entry)

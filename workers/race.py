"""One reply, written by one instance or, when its first sentence is late, by the quicker of two.

The first whole sentence wins the floor; the other draft is dropped and its lease given back. When the
one that has the floor fails, a substitute goes on from what was spoken.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog

from dispatcher.contracts import Service, TurnTicket
from dispatcher.errors import DispatcherError, InstanceError, InstanceUnreachable, NoInstanceAvailable
from dispatcher.router import Lease
from workers.runtime import Runtime

log = structlog.get_logger(__name__)

LOOK_AGAIN_S: Final = 0.5


class Outrun(Exception):
    """Another draft has the floor; this one ends."""


class Runner:
    """One draft under way on one instance.

    Attributes:
        lease: the instance's, once there is one.
    """

    def __init__(self, race: Race) -> None:
        """Enter the race."""
        self.lease: Lease | None = None
        self.task: asyncio.Task[None] | None = None
        self.started_at = time.monotonic()
        self._race = race

    @property
    def name(self) -> str:
        """Name of its instance, empty while it waits for one."""
        return self.lease.instance.name if self.lease else ""

    @property
    def stands_by(self) -> bool:
        """Whether its instance only stands by, and has the call because the others are out."""
        return self.lease is not None and self.lease.instance.priority == "standby"

    def start(self, lease: Lease) -> None:
        """Begin to count the time to the first sentence."""
        self.lease = lease
        self.started_at = time.monotonic()

    def take_floor(self) -> bool:
        """Return whether this draft may speak: it is the first with a whole sentence."""
        if self._race.winner is None:
            self._race.win(self, time.monotonic() - self.started_at)
        return self._race.winner is self


class Race:
    """The drafts of one reply.

    Attributes:
        winner: the draft that has the floor.
    """

    def __init__(
        self,
        shared: Runtime,
        service: Service,
        ticket: TurnTicket,
        draft: Callable[[Runner, Lease], Awaitable[None]],
    ) -> None:
        """Prepare; `draft` writes a reply on an instance, asks for the floor and may raise Outrun."""
        self.winner: Runner | None = None
        self._shared = shared
        self._service = service
        self._ticket = ticket
        self._draft = draft
        self._runners: set[Runner] = set()
        self._failed: list[InstanceError] = []
        self._won = asyncio.Event()
        self._refused_s = 0.0
        self._nobody_else = False

    def win(self, runner: Runner, elapsed_s: float) -> None:
        """Give the floor to a draft."""
        self.winner = runner
        self._shared.usual_times.note(runner.name, elapsed_s)
        self._won.set()

    async def run(self) -> None:
        """Return when a draft was written to its end.

        Raises:
            InstanceError: the last instance's error, when none is left to try or no retry is left.
            NoInstanceAvailable: none could take the call at all.
        """
        self._shared.hedge_budget.note_call()
        self._shared.retry_budget.note_call()
        self._enter()
        try:
            while not await self._step():
                pass
        finally:
            await self._stop(self._runners)

    async def _step(self) -> bool:
        """Wait for what comes next and act on it; return whether the reply is written."""
        done = await self._wait()
        for runner in [runner for runner in self._runners if runner.task in done]:
            self._runners.discard(runner)
            if self._ended_well(runner):
                return True
        if self.winner is not None:
            losers = self._runners - {self.winner}
            self._runners -= losers
            await self._stop(losers)
        elif self._patience_s() == 0:
            self._hedge()
        return False

    async def _wait(self) -> set[asyncio.Future[Any]]:
        """Wait until a draft ends, one wins the floor, or the only one is late."""
        drafts: set[asyncio.Future[Any]] = {runner.task for runner in self._runners if runner.task}
        if self.winner is not None:
            done, _ = await asyncio.wait(drafts)
            return done
        winning = asyncio.ensure_future(self._won.wait())
        try:
            done, _ = await asyncio.wait(
                {*drafts, winning}, timeout=self._patience_s(), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            winning.cancel()
        return done

    def _patience_s(self) -> float | None:
        """Return how long the only draft may still be silent; None when nobody else would be asked."""
        if self.winner is not None or len(self._runners) != 1 or self._nobody_else:
            return None
        (runner,) = self._runners
        if runner.lease is None:  # it waits for a free slot, as another one would
            return LOOK_AGAIN_S
        late_at = runner.started_at + self._shared.usual_times.wait_s(runner.name) + self._refused_s
        return max(0.0, late_at - time.monotonic())

    def _hedge(self) -> None:
        """Ask another instance, if there is one and the budget has something left; else look again later.

        Those that stand by are spared: a late instance is in service, and only one that failed is not.
        """
        (late,) = self._runners
        others = [
            each
            for each in self._shared.catalogue.services[self._service].instances
            if each.name != late.name
        ]
        spared = [each.name for each in others if each.priority == "standby" and not late.stands_by]
        if len(spared) == len(others):
            self._nobody_else = True
        elif self._shared.hedge_budget.spend(time.monotonic()):
            log.warning("first sentence late, another instance asked", instance=late.name)
            self._enter(spared)
        else:
            self._refused_s += LOOK_AGAIN_S

    def _is_late(self, runner: Runner) -> bool:
        elapsed_s = time.monotonic() - runner.started_at
        return elapsed_s >= self._shared.usual_times.wait_s(runner.name)

    def _enter(self, spared: Sequence[str] = ()) -> None:
        runner = Runner(self)
        excluded = [*spared, *(error.instance for error in self._failed)]
        excluded += [other.name for other in self._runners if other.name]
        runner.task = asyncio.get_running_loop().create_task(self._write(runner, excluded))
        self._runners.add(runner)

    async def _write(self, runner: Runner, excluded: list[str]) -> None:
        async with self._shared.router.lease(
            self._service,
            turn_id=self._ticket.turn_id,
            deadline_at_s=self._ticket.deadline_at_s,
            excluded=excluded,
        ) as lease:
            runner.start(lease)
            try:
                await self._draft(runner, lease)
            except (Outrun, asyncio.CancelledError):
                if self.winner in (None, runner) or not self._is_late(runner):
                    raise
                # Its silence counts against it, or a hung instance would cost every turn a second request.
                raise InstanceUnreachable(lease.instance.name, "no first sentence in time") from None

    def _ended_well(self, runner: Runner) -> bool:
        """Return whether a draft was written to its end; where it failed, let another one start."""
        error = runner.task.exception() if runner.task else None
        if error is None:
            return True
        if isinstance(error, Outrun):
            return False
        if self.winner is runner:
            self.winner = None
            self._won.clear()
        if isinstance(error, InstanceError) and error.retryable:
            log.warning("call failed", instance=error.instance, reason=error.reason)
            self._failed.append(error)
            self._nobody_else = False
            if not self._runners:
                if not self._shared.may_retry(self._service, failed=len(self._failed)):
                    raise error
                self._enter()
            return False
        if isinstance(error, NoInstanceAvailable) and (self._runners or self._failed):
            if self._runners:
                self._nobody_else = True
                return False
            raise self._failed[-1] from error
        raise error

    @staticmethod
    async def _stop(runners: set[Runner]) -> None:
        tasks = [runner.task for runner in runners if runner.task is not None]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, DispatcherError, Outrun):
                await task

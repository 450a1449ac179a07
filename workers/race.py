"""One reply, written by one instance or, when its first sentence is late, by the quicker of two.

The first whole sentence wins the floor. The other draft is heard out, unspoken, up to its own first sentence:
an instance that is slow is known by its time from then on, and one that hangs has failed. When the one that
has the floor fails, a substitute goes on from what was spoken.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from typing import Any, Final

import structlog

from dispatcher.contracts import Service, TurnTicket
from dispatcher.errors import DispatcherError, InstanceError, NoInstanceAvailable
from dispatcher.router import Lease
from workers.floor import Draft, Floor, Outrun, Runner
from workers.runtime import Runtime

log = structlog.get_logger(__name__)

LOOK_AGAIN_S: Final = 0.5


class Race:
    """The drafts of one reply."""

    def __init__(self, shared: Runtime, service: Service, ticket: TurnTicket, draft: Draft) -> None:
        """Prepare; nothing is asked yet."""
        self._shared = shared
        self._service = service
        self._ticket = ticket
        self._draft = draft
        self._floor = Floor(shared.usual_times, shared.suspects)
        self._runners: set[Runner] = set()
        self._heard_out: set[Runner] = set()
        self._failed: list[InstanceError] = []
        self._refused_s = 0.0
        self._nobody_else = False

    async def run(self) -> None:
        """Return when a draft was written to its end; what lost may still be heard out then.

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
        except BaseException:
            await self._stop(self._heard_out)
            raise
        finally:
            await self._stop(self._runners)

    async def _step(self) -> bool:
        """Wait for what comes next and act on it; return whether the reply is written."""
        done = await self._wait()
        for runner in [runner for runner in self._runners if runner.task in done]:
            self._runners.discard(runner)
            if self._ended_well(runner):
                return True
        if self._floor.holder is not None:
            await self._let_go(self._runners - {self._floor.holder})
        elif self._patience_s() == 0:
            self._hedge()
        return False

    async def _let_go(self, losers: set[Runner]) -> None:
        """Hear out the drafts of which something is to be learned; stop the others."""
        self._runners -= losers
        heard_out = {runner for runner in losers if runner.hear_out()}
        self._heard_out |= heard_out
        for task in [runner.task for runner in heard_out if runner.task]:
            self._shared.keep(task)
            # Its verdict is the lease's; nobody here waits for it.
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        await self._stop(losers - heard_out)

    async def _wait(self) -> set[asyncio.Future[Any]]:
        """Wait until a draft ends, one wins the floor, or the only one is late."""
        drafts: set[asyncio.Future[Any]] = {runner.task for runner in self._runners if runner.task}
        if self._floor.holder is not None:
            done, _ = await asyncio.wait(drafts)
            return done
        winning = asyncio.ensure_future(self._floor.taken.wait())
        try:
            done, _ = await asyncio.wait(
                {*drafts, winning}, timeout=self._patience_s(), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            winning.cancel()
        return done

    def _patience_s(self) -> float | None:
        """Return how long the only draft may still be silent; None when nobody else would be asked."""
        if self._floor.holder is not None or len(self._runners) != 1 or self._nobody_else:
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
        spared = set() if late.stands_by else self._standing_by()
        if not self._names() - spared - {late.name}:
            self._nobody_else = True
        elif self._shared.hedge_budget.spend(time.monotonic()):
            log.warning("first sentence late, another instance asked", instance=late.name)
            late.is_doubted()
            self._enter(spared)
        else:
            self._refused_s += LOOK_AGAIN_S

    def _enter(self, spared: Collection[str] = ()) -> None:
        runner = Runner(self._floor)
        excluded = {*spared, *(error.instance for error in self._failed)}
        excluded |= {other.name for other in self._runners if other.name}
        runner.task = asyncio.get_running_loop().create_task(self._write(runner, excluded))
        self._runners.add(runner)

    async def _write(self, runner: Runner, excluded: set[str]) -> None:
        async with self._lease(excluded) as lease:
            await runner.write(lease, self._draft)

    @asynccontextmanager
    async def _lease(self, excluded: set[str]) -> AsyncGenerator[Lease]:
        """Lease an instance; one that is late in another call just now only where nobody else is left."""
        doubtful = self._shared.suspects.names - excluded
        trusted = excluded | doubtful | self._standing_by()
        held: Lease | None = None
        async with AsyncExitStack() as stack:
            if doubtful and self._names() - trusted:
                with suppress(NoInstanceAvailable):
                    held = await stack.enter_async_context(self._door(trusted))
            if held is None:
                held = await stack.enter_async_context(self._door(excluded))
            yield held

    def _door(self, excluded: Collection[str]) -> AbstractAsyncContextManager[Lease]:
        ticket = self._ticket
        return self._shared.router.lease(
            self._service, turn_id=ticket.turn_id, deadline_at_s=ticket.deadline_at_s, excluded=excluded
        )

    def _names(self) -> set[str]:
        return {each.name for each in self._shared.catalogue.services[self._service].instances}

    def _standing_by(self) -> set[str]:
        instances = self._shared.catalogue.services[self._service].instances
        return {each.name for each in instances if each.priority == "standby"}

    def _ended_well(self, runner: Runner) -> bool:
        """Return whether a draft was written to its end; where it failed, let another one start."""
        error = runner.task.exception() if runner.task else None
        if error is None:
            return True
        if isinstance(error, Outrun):
            return False
        if runner.has_floor:
            self._floor.is_free_again()
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

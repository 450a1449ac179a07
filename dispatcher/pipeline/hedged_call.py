"""One call, answered by one instance or, when its first result is late, by the quicker of two.

The first result (a transcript, a whole sentence, the first audio) wins the floor. The other draft is heard
out, unheard, up to its own first result: an instance that is slow is known by its time from then on, and one
that hangs has failed. When the one that has the floor fails, or pauses for too long between its sentences, a
substitute goes on from what was given away.

A stream that lives without a result, because its model thinks or loads, is not late: it has only an idle
instance beside it, and nothing counts against it.

While nothing is late a race costs one task and one timer: it is woken by the end of a draft, by a timer that
was not needed otherwise, and by the floor only where there are losers.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Final, Generic

import structlog

from dispatcher.errors import DispatcherError, EmptyReply, InstanceError, NoInstanceAvailable
from dispatcher.messages import Service, TurnTicket
from dispatcher.pipeline.attempts import CallProfile, Draft, Floor, LeaseRequest, LostHedge, Result, Runner
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.routing.leases import PickMode

log = structlog.get_logger(__name__)

HEDGE_POLL_INTERVAL_S: Final = 0.5
ANY: Final = CallProfile()


class HedgedCall(Generic[Result]):
    """The drafts of one call."""

    def __init__(
        self,
        shared: WorkerContext,
        service: Service,
        ticket: TurnTicket,
        draft: Draft[Result],
        course: CallProfile = ANY,
    ) -> None:
        """Prepare; nothing is asked yet."""
        self._shared = shared
        self._service = service
        self._ticket = ticket
        self._draft = draft
        self._course = course
        self._floor = Floor(shared.usual_times[service], shared.suspects, course, self._on_taken)
        self._runners: set[Runner] = set()
        self._heard_out: set[Runner] = set()
        self._failed: list[InstanceError] = []
        self._refused_s = 0.0
        self._nobody_else = False
        # The first draft may have a probe beside it, once there is something that a probe could be asked.
        self._mode: PickMode = "spare" if math.isinf(course.ready_at()) else "offer"
        self._news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> Result:
        """Return what the draft that counts came to; what lost may still be heard out then.

        Raises:
            InstanceError: the last instance's error, when none is left to try or no retry is left.
            NoInstanceAvailable: none could take the call at all.
        """
        self._shared.hedge_budget.note_call()
        self._shared.retry_budget.note_call()
        self._enter()
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                for runner in [each for each in self._runners if each.task and each.task.done()]:
                    self._runners.discard(runner)
                    if self._ended_well(runner) and runner.task:
                        result: Result = runner.task.result()
                        return result
                await self._step()
        except BaseException:
            await self._stop(self._heard_out)
            raise
        finally:
            self._set_timer(None)
            if self._runners:
                await self._stop(self._runners)

    async def _step(self) -> None:
        """Act on what happened: let losers go, or ask another instance where the only one is late."""
        if self._floor.holder is not None:
            await self._let_go(self._runners - {self._floor.holder})
        if self._patience_s() == 0:
            self._hedge()
        self._set_timer(self._patience_s())

    async def _let_go(self, losers: set[Runner]) -> None:
        """Hear out the drafts of which something is to be learned; stop the others."""
        self._runners -= losers
        heard_out = {runner for runner in losers if runner.hear_out()}
        self._keep(heard_out)
        await self._stop(losers - heard_out)

    def _keep(self, unheard: Collection[Runner]) -> None:
        """Let drafts of which nothing is heard go on; the verdict on them is the lease's."""
        self._heard_out.update(unheard)
        for task in [runner.task for runner in unheard if runner.task]:
            self._shared.keep(task)
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    def _probe(self, name: str) -> None:
        """Ask an instance that is slow, or comes back, beside the one that answers, if the budget has it."""
        if not self._shared.hedge_budget.try_spend(time.monotonic()):
            return
        log.info("instance probed beside a call", instance=name)
        runner = Runner(self._floor, is_probe=True)
        door = LeaseRequest(excluded=self._names() - {name}, waits=False, mode="probe")
        runner.task = asyncio.get_running_loop().create_task(self._write_behind(door, runner))
        self._keep([runner])

    def _on_taken(self) -> None:
        """Take in that a draft has the floor; others are let go, and its pauses are watched."""
        self._refused_s = 0.0
        self._set_timer(self._patience_s())
        if len(self._runners) > 1:
            self._news.set()

    def _set_timer(self, delay_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay_s is not None:
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._news.set)

    def _patience_s(self) -> float | None:
        """Return how long the only draft may still be silent; None when nobody else would be asked."""
        if len(self._runners) != 1 or self._nobody_else:
            return None
        (runner,) = self._runners
        if runner.lease is None:  # it waits for a free slot, as another one would
            return None
        if runner.has_floor and math.isinf(self._floor.usual_times.policy.pause_s):
            return None
        late_at = runner.late_at + self._refused_s
        return HEDGE_POLL_INTERVAL_S if math.isinf(late_at) else max(0.0, late_at - time.monotonic())

    def _hedge(self) -> None:
        """Ask another instance, if there is one and the budget has something left; else look again later.

        Those that stand by are spared: a late instance is in service, and only one that failed is not.
        """
        (late,) = self._runners
        spared = set() if late.stands_by else self._standing_by()
        if not self._names() - spared - self._tried() - {late.name}:
            self._nobody_else = True
            return
        if self._may_ask_beside(late):
            self._ask_beside(late, spared)
        else:
            self._refused_s += HEDGE_POLL_INTERVAL_S

    def _ask_beside(self, late: Runner, spared: Collection[str]) -> None:
        result = self._floor.usual_times.policy.result
        if late.is_thinking:
            log.info("instance thinks, an idle one is asked too", instance=late.name, awaited=result)
            self._enter(spared, is_for_idle=True)
            return
        if late.has_floor:
            result = "next sentence"
            self._floor.is_free_again()
        late.is_doubted()
        log.warning("instance late, another one asked", instance=late.name, awaited=result)
        self._enter(spared)

    def _may_ask_beside(self, late: Runner) -> bool:
        """Return whether a second request may be made, and count it, after a long silence as a retry."""
        now, patience = time.monotonic(), self._floor.usual_times.policy
        if self._shared.hedge_budget.try_spend(now):
            return True
        return late.elapsed_s >= patience.retry_s and self._shared.retry_budget.try_spend(now)

    def _enter(self, spared: Collection[str] = (), *, is_for_idle: bool = False) -> None:
        runner = Runner(self._floor)
        excluded = {*spared, *self._tried(), *(other.name for other in self._runners if other.name)}
        writing = (
            self._write_behind(LeaseRequest(excluded=excluded, waits=False, is_for_idle=True), runner)
            if is_for_idle
            else self._write(runner, excluded)
        )
        runner.task = asyncio.get_running_loop().create_task(writing)
        runner.task.add_done_callback(lambda _: self._news.set())
        self._runners.add(runner)

    async def _write(self, runner: Runner, excluded: set[str]) -> Result:
        """Write a draft on the first of the wanted instances that can be had."""
        for door in self._doors(excluded):
            with suppress(NoInstanceAvailable):
                return await self._write_behind(door, runner)
        return await self._write_behind(LeaseRequest(excluded=excluded), runner)

    async def _write_behind(self, door: LeaseRequest, runner: Runner) -> Result:
        ticket = self._ticket
        until_s = ticket.deadline_at_s if door.waits else time.time()
        async with self._shared.router.lease(
            self._service,
            turn_id=ticket.turn_id,
            deadline_at_s=until_s,
            excluded=door.excluded,
            mode=door.mode or self._mode,
        ) as lease:
            if not door.waits and "panic" in lease.slot.reason:
                raise NoInstanceAvailable(self._service, "the one to ask first is not well")
            if door.is_for_idle and lease.slot.in_flight > 1:
                raise NoInstanceAvailable(self._service, "none is idle")
            runner.begin(lease)
            if not runner.is_probe:
                self._mode = "spare"
                self._set_timer(self._patience_s())
            if lease.slot.probe:
                self._probe(lease.slot.probe)
            return await runner.write(lease, self._draft)

    def _doors(self, excluded: set[str]) -> Iterator[LeaseRequest]:
        """Yield what is tried before any instance will do.

        That is the one to ask first; then those that are not late in another call just now, where any are.
        """
        first = self._course.first
        if first and first not in excluded:
            yield LeaseRequest(excluded=self._names() - {first}, waits=False)
        doubtful = self._shared.suspects.names - excluded
        if doubtful and doubtful & self._names():
            trusted = excluded | doubtful | self._standing_by()
            if self._names() - trusted:
                yield LeaseRequest(excluded=trusted)

    def _names(self) -> set[str]:
        return {each.name for each in self._shared.catalogue.services[self._service].instances}

    def _tried(self) -> set[str]:
        return {error.instance for error in self._failed}

    def _standing_by(self) -> set[str]:
        instances = self._shared.catalogue.services[self._service].instances
        return {each.name for each in instances if each.priority == "standby"}

    def _ended_well(self, runner: Runner) -> bool:
        """Return whether a draft that counts was written to its end; where it failed, let another start."""
        error = runner.task.exception() if runner.task else None
        if error is None:
            return runner.has_floor
        if isinstance(error, LostHedge):
            return False
        if runner.has_floor:
            self._floor.is_free_again()
        # While another one speaks, its reply is not ended by what this one may not carry on.
        if isinstance(error, InstanceError) and (error.retryable or self._floor.holder is not None):
            self._replace_failed(error)
            return False
        if isinstance(error, NoInstanceAvailable) and (self._runners or self._failed):
            if self._runners:
                self._nobody_else = True
                return False
            raise self._failed[-1] from error
        raise error

    def _replace_failed(self, error: InstanceError) -> None:
        """Let another draft start in the place of one that failed, where none is under way.

        Raises:
            InstanceError: nobody else may be asked.
        """
        log.warning("call failed", instance=error.instance, reason=error.reason)
        # Two instances that have nothing to say to this are enough.
        is_empty_again = isinstance(error, EmptyReply) and any(
            isinstance(each, EmptyReply) for each in self._failed
        )
        self._failed.append(error)
        self._nobody_else = False
        if self._runners:
            return
        if is_empty_again or not self._shared.may_retry(self._service, failed=len(self._failed)):
            raise error
        self._enter()

    @staticmethod
    async def _stop(runners: set[Runner]) -> None:
        tasks = [runner.task for runner in runners if runner.task is not None]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, DispatcherError, LostHedge):
                await task

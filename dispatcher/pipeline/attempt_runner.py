"""Run of an attempt: the lease requests in their order, then the call under the lease that was had."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeAlias, TypeVar

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceError, InstanceUnreachable, NoInstanceAvailable, SpareSlotTaken
from dispatcher.pipeline.attempt import Attempt, AttemptState, CallProfile, now
from dispatcher.pipeline.loop_thread import LoopThread
from dispatcher.pipeline.stage import reply
from dispatcher.pipeline.usage_metering import payer_of
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.routing.leases import PickMode, Slot
from dispatcher.routing.router import Lease
from dispatcher.routing.spare_slots import SPARE_ORDER
from dispatcher.telemetry.tracing.spans import CallPart
from dispatcher.turn_store.commitment import read_commitment

Result = TypeVar("Result")
# The front waits for a stage for two seconds at least.
WAIT_NOTICE_INTERVAL_S: Final = 1.0
# Calls an instance, takes the win (`Attempt.try_win`) when it has a result, and may raise LostHedge.
AttemptFunction: TypeAlias = "Callable[[Attempt, Lease], Awaitable[Result]]"


class LostHedge(Exception):
    """Another attempt has won; this one ends (control flow)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequest:
    """One way to an instance.

    Attributes:
        excluded: names of those that will not do.
        waits: in line for a free slot; else only an instance that is healthy and free at once will do.
        is_for_idle: only an instance without any call will do.
        mode: how slow instances are treated, as in `leases.pick`; empty for what the call has come to.
    """

    excluded: Collection[str]
    waits: bool = True
    is_for_idle: bool = False
    mode: PickMode = ""

    def check(self, slot: Slot) -> None:
        """Accept a slot.

        Raises:
            NoInstanceAvailable: it is not what was wanted.
        """
        if not self.waits and "panic" in slot.reason:
            raise NoInstanceAvailable(slot.service, "the one to ask first is not healthy")
        if self.is_for_idle and slot.in_flight > 1:
            raise NoInstanceAvailable(slot.service, "none is idle")


class AttemptRunner(Generic[Result]):
    """Runs the attempts of one call."""

    def __init__(
        self,
        context: WorkerContext,
        profile: CallProfile,
        function: AttemptFunction[Result],
        on_leased: Callable[[Slot], None],
    ) -> None:
        """Prepare; `on_leased` is called with the slot of each attempt that begins."""
        self._context = context
        self._profile = profile
        self._function = function
        self._on_leased = on_leased
        self._wait_noted_at = -math.inf
        # The first lease may come with a probe beside it, once there is something to ask a probe.
        may_probe = profile.may_hedge and not math.isinf(profile.ready_at())
        self._usual_mode: PickMode = "relief" if profile.uses_standby else "spare"
        self._mode: PickMode = "offer" if may_probe else self._usual_mode

    @property
    def names(self) -> set[str]:
        """Names of the instances that the active catalogue has for the call."""
        return {each.name for each in self._instances()}

    @property
    def standby(self) -> set[str]:
        """Names of those that have calls only while no other is in service."""
        return {each.name for each in self._instances() if each.priority == "standby"}

    def requests(self, excluded: set[str]) -> Iterator[LeaseRequest]:
        """Yield the lease requests of an attempt, in their order.

        That is the instance to ask first; in overload, those without a key; then those that are not late in
        another call just now, where any are; then all.
        """
        first = self._profile.first
        if first and first not in excluded:
            yield LeaseRequest(excluded=self.names - {first}, waits=False)
        paid = self._context.catalogue.services[self._profile.service].paid
        if self._profile.uses_standby and paid and self.names - paid - excluded:
            yield LeaseRequest(excluded=paid | excluded, waits=False)
        late = self._context.hedging.late.names - excluded
        if late & self.names:
            not_late = excluded | late | self.standby
            if self.names - not_late:
                yield LeaseRequest(excluded=not_late)
        yield LeaseRequest(excluded=excluded)

    async def run(self, attempt: Attempt, requests: Iterable[LeaseRequest]) -> Result:
        """Call the instance of the first request that leads to one.

        Raises:
            NoInstanceAvailable: none did.
            SpareSlotTaken: one did, for a speculation, and a real call took its slot.
            LostHedge: another attempt has won, or this one was observed and still thinks.
            InstanceUnreachable: it was observed, and no first result came.
        """
        nothing: NoInstanceAvailable | None = None
        for request in requests:
            try:
                return await self._lease_and_call(attempt, request)
            except SpareSlotTaken:
                raise
            except NoInstanceAvailable as error:
                nothing = error
        raise nothing or NoInstanceAvailable(self._profile.service, "none was asked for")

    async def _lease_and_call(self, attempt: Attempt, request: LeaseRequest) -> Result:
        ticket, order, excluded = self._profile.ticket, self._profile.order, request.excluded
        deadline_at_s, mode = ticket.deadline_at_s if request.waits else 0.0, request.mode or self._mode
        if ticket.speculative and not await read_commitment(self._context.redis, ticket.turn_id):
            order, deadline_at_s, mode = SPARE_ORDER, 0.0, request.mode or "spare"
            excluded = {*excluded, *self._not_for_speculation()}
        async with self._context.router.lease(
            self._profile.service,
            turn_id=ticket.turn_id,
            deadline_at_s=deadline_at_s,
            excluded=excluded,
            mode=mode,
            order=order,
            dialogue=self._profile.dialogue,
            payer=payer_of(self._context, ticket),
            on_wait=self._note_wait,
        ) as lease:
            request.check(lease.slot)
            self._mode = self._usual_mode
            attempt.begin(lease)
            self._on_leased(lease.slot)
            call = self._call(attempt, lease, is_probe=request.mode == "probe")
            if ticket.traceparent and self._context.tracer:
                part = partial(_part_of, attempt)
                call = self._context.tracer.call(call, ticket, self._profile.index, lease, part)
            return await call

    def _note_wait(self) -> None:
        """Let the front know that the call waits in line, so that its stage is not sent a second time."""
        is_early = now() - self._wait_noted_at < WAIT_NOTICE_INTERVAL_S
        if not is_early and self._context.catalogue.overload.enabled:
            self._wait_noted_at, profile = now(), self._profile
            reply(self._context, profile.ticket, "waiting", index=profile.index, text=profile.service)

    async def _call(self, attempt: Attempt, lease: Lease, *, is_probe: bool) -> Result:
        policy = attempt.estimator.policy
        try:
            async with asyncio.timeout(policy.probe_s if is_probe else None) as attempt.timeout:
                return await self._function(attempt, lease)
        except TimeoutError:
            if not attempt.timeout or not attempt.timeout.expired():
                raise
            attempt.note_first_result()
            if attempt.is_thinking:
                raise LostHedge from None
            # Its silence counts against it, or a hung instance would cost every turn a second request.
            awaited = "next sentence" if attempt.has_result else policy.result
            raise InstanceUnreachable(lease.instance.name, f"no {awaited} in time") from None
        finally:
            attempt.timeout = None
            self._context.hedging.late.clear_late(attempt)

    def _not_for_speculation(self) -> Collection[str]:
        """Return the instances that cost money, unless the operator wants it."""
        catalogue = self._context.catalogue
        is_paid = catalogue.conversation.speculation.paid
        return () if is_paid else catalogue.services[self._profile.service].paid

    def _instances(self) -> tuple[Instance, ...]:
        return self._context.catalogue.services[self._profile.service].instances


def _part_of(attempt: Attempt, error: BaseException | None) -> CallPart:
    """Return the place of an attempt in its call, at its end; a cancelled one may have lost before."""
    cause = attempt.cause.lease.slot.lease_id if attempt.cause and attempt.cause.lease else ""
    outcome = attempt.state.value if error is None or attempt.has_lost else "cancelled"
    outcome = "failed" if isinstance(error, InstanceError) else outcome
    return CallPart(role=attempt.role, cause=cause, outcome=outcome)


class AttemptTasks(Generic[Result]):
    """Tasks of one call's attempts: those under way, and those that are only observed."""

    def __init__(self, loop: LoopThread, on_end: Callable[[], None]) -> None:
        """Begin without any; `on_end` is called at the end of each that was under way."""
        self._loop = loop
        self._on_end = on_end
        self._running: dict[Attempt, asyncio.Task[Result]] = {}
        self._observed: list[asyncio.Task[Result]] = []

    def __len__(self) -> int:
        """Return how many attempts are under way."""
        return len(self._running)

    def __iter__(self) -> Iterator[Attempt]:
        """Iterate over the attempts under way."""
        return iter(self._running)

    @property
    def has_winner(self) -> bool:
        """Whether the results of one of them are sent."""
        return any(attempt.has_won for attempt in self._running)

    def start(self, attempt: Attempt, work: Coroutine[Any, Any, Result]) -> None:
        """Run an attempt; one that is observed from its beginning outlives the call."""
        task = asyncio.create_task(work)
        if attempt.state is AttemptState.OBSERVED:
            self._observe(task)
        else:
            task.add_done_callback(lambda _: self._on_end())
            self._running[attempt] = task

    def take_ended(self) -> Iterator[tuple[Attempt, asyncio.Task[Result]]]:
        """Take out the attempts that have ended, one after the other, and yield them with their tasks."""
        for attempt in [attempt for attempt, task in self._running.items() if task.done()]:
            yield attempt, self._running.pop(attempt)

    async def release_losers(self) -> None:
        """Observe the attempts of which something is to be learned; stop the others."""
        stopped = []
        for attempt in [each for each in self._running if not each.has_won]:
            attempt.lose()
            task = self._running.pop(attempt)
            if attempt.state is AttemptState.OBSERVED:
                self._observe(task)
            else:
                stopped.append(task)
        await _stop(stopped)

    def _observe(self, task: asyncio.Task[Result]) -> None:
        """Let an attempt go on of which nothing is sent; the verdict on it is the lease's."""
        self._observed.append(task)
        self._loop.keep(task)
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    async def stop(self) -> None:
        """Stop all attempts but those that are observed."""
        await _stop(self._running.values())

    async def stop_observed(self) -> None:
        """Stop those as well."""
        await _stop(self._observed)


async def _stop(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for their end; a cancellation of the caller meanwhile is not swallowed."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""Hedged call: answered by one instance or, when its first result is late, by the quicker of two.

The first result (a transcript, a whole sentence, the first audio) wins. A late attempt that lost is observed
up to its own first result: an instance that is slow is known by its time from then on, and one that hangs has
failed. When the winner fails, or pauses for too long between its sentences, a substitute goes on from what
was sent.

A stream that lives without a result, because its model thinks or loads, is not late: it has only an idle
instance beside it, and nothing counts against it.

The states of an attempt and what changes them stand in `attempt.TRANSITIONS`. While nothing is late a call
costs one task and one timer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

import structlog

from dispatcher.errors import EmptyReply, InstanceError, NoInstanceAvailable
from dispatcher.pipeline.attempt import (
    Attempt,
    AttemptEvent,
    AttemptRole,
    AttemptState,
    CallProfile,
    now,
)
from dispatcher.pipeline.attempt_runner import (
    AttemptFunction,
    AttemptRunner,
    AttemptTasks,
    LeaseRequest,
    LostHedge,
)
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.routing.leases import Slot

log = structlog.get_logger(__name__)
Result = TypeVar("Result")

HEDGE_POLL_INTERVAL_S: Final = 0.5


class HedgedCall(Generic[Result]):
    """One call to a service, and the rules for its attempts."""

    def __init__(
        self, context: WorkerContext, profile: CallProfile, function: AttemptFunction[Result]
    ) -> None:
        """Prepare; nothing is asked yet."""
        self._hedging = context.hedging
        self._profile = profile
        self._estimator = context.hedging.estimators[profile.service]
        self._runner = AttemptRunner(context, profile, function, self._on_leased)
        self._wake_up = WakeUp()
        self._attempts: AttemptTasks[Result] = AttemptTasks(context.loop, self._wake_up.set)
        self._failed: list[InstanceError] = []
        self._refused_s = 0.0
        self._has_no_other = False

    async def run(self) -> Result:
        """Return the winner's result; attempts that lost may still be observed then.

        Raises:
            InstanceError: the last instance's error, when none is left to try or no retry is left.
            NoInstanceAvailable: none could take the call at all.
        """
        self._hedging.note_call()
        self._start(self._runner.requests(set()))
        try:
            while True:
                await self._wake_up.wait()
                for attempt, task in self._attempts.take_ended():
                    error = task.exception()
                    if error is None and attempt.has_won:
                        return task.result()
                    self._settle(attempt, error)
                await self._step()
        except BaseException:
            await self._attempts.stop_observed()
            raise
        finally:
            self._wake_up.set_after(None)
            await self._attempts.stop()

    async def _step(self) -> None:
        """Act on what happened: let losers go, or ask another instance where the only one is late."""
        if self._attempts.has_winner:
            await self._attempts.release_losers()
        if self._hedge_in_s() == 0:
            self._hedge()
        self._wake_up.set_after(self._hedge_in_s())

    def _start(
        self, requests: Iterable[LeaseRequest], role: AttemptRole = "first", cause: Attempt | None = None
    ) -> None:
        attempt = Attempt(
            profile=self._profile,
            estimator=self._estimator,
            on_result=self._on_result,
            state=AttemptState.OBSERVED if role == "probe" else AttemptState.WAITING,
            role=role,
            cause=cause,
        )
        self._attempts.start(attempt, self._runner.run(attempt, requests))

    def _on_leased(self, slot: Slot) -> None:
        """Watch the time of the instance; probe another beside it where the router wants that."""
        self._wake_up.set_after(self._hedge_in_s())
        # A probe shows how quick an instance is that is slow, or comes back.
        if slot.probe and self._hedging.hedge_budget.try_spend(now()):
            log.info("instance probed beside a call", instance=slot.probe)
            others = self._runner.names - {slot.probe}
            probe = LeaseRequest(excluded=others, waits=False, mode="probe")
            self._start([probe], "probe")

    def _on_result(self, attempt: Attempt) -> bool:
        """Return whether an attempt with a result wins; the others are let go, and its pauses are watched."""
        self._hedging.late.clear_late(attempt)
        if attempt.has_lost or self._attempts.has_winner:
            return attempt.has_won
        attempt.advance(AttemptEvent.WIN)
        self._refused_s = 0.0
        self._wake_up.set_after(self._hedge_in_s())
        if len(self._attempts) > 1:
            self._wake_up.set()
        return True

    def _hedge_in_s(self) -> float | None:
        """Return how long the only attempt may still be silent; None when no other would be started."""
        if len(self._attempts) != 1 or self._has_no_other:
            return None
        (attempt,) = self._attempts
        if attempt.state is AttemptState.WAITING:  # for a free slot, as another one would
            return None
        if attempt.has_won and math.isinf(self._estimator.policy.pause_s):
            return None
        late_at = attempt.late_at + self._refused_s
        return HEDGE_POLL_INTERVAL_S if math.isinf(late_at) else max(0.0, late_at - now())

    def _hedge(self) -> None:
        """Ask another instance beside a late one, if there is one and the budget has something left.

        Standby instances are spared: a late instance is in service, and only one that failed is not.
        """
        (late,) = self._attempts
        late.advance(AttemptEvent.EXPIRE)
        standby = self._runner.standby
        excluded = self._used() | (set() if late.name in standby else standby)
        if not self._runner.names - excluded:
            self._has_no_other = True
        # After a long silence a second request counts as a retry.
        elif self._hedging.try_spend_hedge(
            now(),
            or_retry=late.elapsed_s >= self._estimator.policy.retry_s,
            may_hedge=self._profile.may_hedge,
        ):
            self._ask_beside(late, excluded)
        else:
            self._refused_s += HEDGE_POLL_INTERVAL_S

    def _ask_beside(self, late: Attempt, excluded: set[str]) -> None:
        awaited = "next sentence" if late.has_won else self._estimator.policy.result
        late.advance(AttemptEvent.HEDGE)
        if late.is_thinking:
            log.info("instance thinks, an idle one is asked too", instance=late.name, awaited=awaited)
            self._start([LeaseRequest(excluded=excluded, waits=False, is_for_idle=True)], "hedge", late)
            return
        # Other calls go elsewhere until its first result, or its end.
        self._hedging.late.mark_late(late, late.name)
        log.warning("instance late, another one asked", instance=late.name, awaited=awaited)
        self._start(self._runner.requests(excluded), "hedge", late)

    def _used(self) -> set[str]:
        """Return the instances that failed this call, or have it now."""
        return {error.instance for error in self._failed} | {
            each.name for each in self._attempts if each.name
        }

    def _settle(self, attempt: Attempt, error: BaseException | None) -> None:
        """Take in the end of an attempt that does not end the call; where it failed, start another.

        Raises:
            DispatcherError: the error, where it ends the call.
        """
        if error is None or isinstance(error, LostHedge):
            attempt.advance(AttemptEvent.LOSE)
            if not self._attempts:  # the reply that it would have gone on with was ended by one that failed
                nothing = NoInstanceAvailable(self._profile.service, "its attempt gave up")
                raise self._failed[-1] if self._failed else nothing
            return
        attempt.advance(AttemptEvent.FAIL)
        # While another one has won, its reply is not ended by what this one may not carry on.
        if isinstance(error, InstanceError) and (error.retryable or self._attempts.has_winner):
            self._replace_failed(attempt, error)
        elif isinstance(error, NoInstanceAvailable) and self._attempts:
            self._has_no_other = True
        elif isinstance(error, NoInstanceAvailable) and self._failed:
            raise self._failed[-1] from error
        else:
            raise error

    def _replace_failed(self, attempt: Attempt, error: InstanceError) -> None:
        """Start another attempt in the place of one that failed, where none is under way.

        Raises:
            InstanceError: no other may be asked.
        """
        log.warning("call failed", instance=error.instance, reason=error.reason)
        # Two instances that have nothing to say to this are enough.
        is_empty_again = isinstance(error, EmptyReply) and any(
            isinstance(each, EmptyReply) for each in self._failed
        )
        self._failed.append(error)
        self._has_no_other = False
        if self._attempts:
            return
        if is_empty_again or len(self._failed) >= len(self._runner.names):
            raise error
        if not self._hedging.retry_budget.try_spend(now()):
            log.warning("retry budget spent, no other instance is asked")
            raise error
        self._start(self._runner.requests(self._used()), "retry", attempt)


class WakeUp:
    """Event that a timer sets as well."""

    def __init__(self) -> None:
        """Begin without a timer."""
        self._event = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def set(self) -> None:
        """Wake up now."""
        self._event.set()

    def set_after(self, delay_s: float | None) -> None:
        """Wake up after a time, and not after the one that was set before; None for never."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if delay_s is None else asyncio.get_running_loop().call_later(delay_s, self.set)

    async def wait(self) -> None:
        """Wait, and begin anew."""
        await self._event.wait()
        self._event.clear()

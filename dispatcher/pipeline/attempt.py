"""Attempts of a hedged call: the table of their states, and the times by which one is late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from dispatcher.messages import Service, TurnTicket
from dispatcher.routing.leases import FIRST_COME, WaitingOrder
from dispatcher.routing.router import Lease
from dispatcher.routing.rules.hedging import LatencyEstimator
from dispatcher.routing.rules.overload import OverloadStep


class AttemptState(StrEnum):
    """Place of an attempt in its call.

    While a call goes on, one attempt at most has won. A result is a transcript, a whole sentence, audio.
    """

    WAITING = "waiting"  # for a lease
    RUNNING = "running"  # its instance works, and is not late yet
    LATE = (
        "late"  # no result in time; another instance is asked as soon as there is one and the budget has it
    )
    HEDGED = "hedged"  # another instance is asked beside it; the first result of both wins
    WON = "won"  # its results are sent
    OBSERVED = "observed"  # goes on to its first result, which is measured and not sent
    LOST = "lost"  # cancelled, or ended with nothing to send
    FAILED = "failed"


class AttemptEvent(StrEnum):
    """Reasons for an attempt to change its state."""

    LEASE = "lease"  # a slot was leased for it
    EXPIRE = "expire"  # the time for its next result is over
    HEDGE = "hedge"  # another instance is asked because of it
    WIN = "win"  # its result came, and no other attempt has won
    LOSE = "lose"  # another attempt has won, and nothing is to be learned from this one
    OBSERVE = "observe"  # another attempt has won, and this one was late
    FAIL = "fail"  # an error ended it


_S: Final = AttemptState
_E: Final = AttemptEvent
# The whole of a call. What is not in it cannot happen: `Attempt.advance` raises KeyError.
TRANSITIONS: Final[Mapping[tuple[AttemptState, AttemptEvent], AttemptState]] = {
    (_S.WAITING, _E.LEASE): _S.RUNNING,
    (_S.WAITING, _E.LOSE): _S.LOST,
    (_S.WAITING, _E.FAIL): _S.FAILED,
    (_S.RUNNING, _E.EXPIRE): _S.LATE,
    (_S.RUNNING, _E.WIN): _S.WON,
    (_S.RUNNING, _E.LOSE): _S.LOST,
    (_S.RUNNING, _E.OBSERVE): _S.OBSERVED,
    (_S.RUNNING, _E.FAIL): _S.FAILED,
    (_S.LATE, _E.EXPIRE): _S.LATE,
    (_S.LATE, _E.HEDGE): _S.HEDGED,
    (_S.LATE, _E.WIN): _S.WON,
    (_S.LATE, _E.LOSE): _S.LOST,
    (_S.LATE, _E.FAIL): _S.FAILED,
    (_S.HEDGED, _E.EXPIRE): _S.HEDGED,
    (_S.HEDGED, _E.HEDGE): _S.HEDGED,
    (_S.HEDGED, _E.WIN): _S.WON,
    (_S.HEDGED, _E.LOSE): _S.LOST,
    (_S.HEDGED, _E.OBSERVE): _S.OBSERVED,
    (_S.HEDGED, _E.FAIL): _S.FAILED,
    # A stream that pauses keeps the win until another instance is asked; then the next sentence decides.
    (_S.WON, _E.EXPIRE): _S.WON,
    (_S.WON, _E.HEDGE): _S.HEDGED,
    (_S.WON, _E.FAIL): _S.FAILED,
    # A probe is observed from its beginning.
    (_S.OBSERVED, _E.LEASE): _S.OBSERVED,
}


AttemptRole: TypeAlias = Literal["first", "hedge", "retry", "probe"]


def at_once() -> float:
    """Return a moment before any instance is asked."""
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallProfile:
    """Properties of a call that decide when an instance is late, and which is asked first.

    Attributes:
        service: whose instances take the call.
        ticket: of the turn.
        size: how much there is to do, 1.0 for what is usual.
        first: the instance to ask first, where it is healthy and has a free slot; empty for any.
        dialogue: names what the request of the call begins with; empty where that is nothing of worth.
        order: its place in line, should it have to wait.
        index: number of the sentence that the call speaks.
        ready_at: returns since when an instance has all that it needs, by the loop's clock; infinity while
            it has not.
    """

    service: Service
    ticket: TurnTicket
    size: float = 1.0
    first: str = ""
    dialogue: str = ""
    order: WaitingOrder = FIRST_COME
    index: int = 0
    ready_at: Callable[[], float] = at_once

    @property
    def may_hedge(self) -> bool:
        """Whether another instance may be asked beside one that is late, or as a probe."""
        return self.ticket.overload_step < OverloadStep.NO_EXTRAS

    @property
    def uses_standby(self) -> bool:
        """Whether instances that stand by may take it, and those without a key come first."""
        return self.ticket.overload_step >= OverloadStep.LOCAL


@dataclass(slots=True, kw_only=True, eq=False)
class Attempt:
    """One instance's part in a call. All times are the loop's.

    Attributes:
        profile: of the call.
        estimator: learns how long the instances take.
        on_result: returns whether an attempt with a result wins.
        state: changes by TRANSITIONS alone.
        lease: on the instance, once there is one.
        started_at: since when the instance is asked.
        alive_at: last sign of life of its stream.
        is_thinking: its stream lives and holds no result yet: it is slow, and nothing is wrong with it.
        has_result: the first result came.
        timeout: ends the call to the instance; set while that lasts.
        role: "first", "hedge", "retry" or "probe".
        cause: the attempt that was late, for a hedge, or failed, for a retry.
    """

    profile: CallProfile
    estimator: LatencyEstimator
    on_result: Callable[[Attempt], bool]
    state: AttemptState = AttemptState.WAITING
    lease: Lease | None = None
    started_at: float = 0.0
    alive_at: float = 0.0
    is_thinking: bool = False
    has_result: bool = False
    timeout: asyncio.Timeout | None = None
    role: AttemptRole = "first"
    cause: Attempt | None = None

    @property
    def name(self) -> str:
        """Name of its instance, empty while it waits for one."""
        return self.lease.instance.name if self.lease else ""

    @property
    def has_won(self) -> bool:
        """Whether its results are sent."""
        return self.state is AttemptState.WON

    @property
    def has_lost(self) -> bool:
        """Whether nothing of it will be sent."""
        return self.state in {AttemptState.OBSERVED, AttemptState.LOST}

    @property
    def elapsed_s(self) -> float:
        """Time since its instance could have answered; 0 for one that answers before it has all it needs."""
        return max(0.0, now() - max(self.started_at, self.profile.ready_at()))

    @property
    def late_at(self) -> float:
        """When its next result is late by the measure of its instance; infinity if that cannot be yet."""
        if self.has_result:
            return self.alive_at + self.estimator.policy.pause_s
        alternative_s = self.lease.slot.alternative_s if self.lease else None
        wait_s = self.estimator.wait_s(self.name, size=self.profile.size, alternative_s=alternative_s)
        return max(self.started_at, self.profile.ready_at()) + wait_s

    def advance(self, event: AttemptEvent) -> None:
        """Change the state as the table says.

        Raises:
            KeyError: the event cannot happen in this state.
        """
        self.state = TRANSITIONS[self.state, event]

    def begin(self, lease: Lease) -> None:
        """Count the instance's time from now on."""
        self.advance(AttemptEvent.LEASE)
        self.lease = lease
        self.started_at = self.alive_at = now()

    def mark_alive(self, *, is_thinking: bool = False) -> None:
        """Note a piece of its stream, or a sign of life without one."""
        self.alive_at = now()
        self.is_thinking = is_thinking and not self.has_result

    def try_win(self) -> bool:
        """Return whether the results of this attempt are sent; the time to the first one is learned."""
        if not self.has_result:
            self.has_result, self.is_thinking = True, False
            self.estimator.note(self.name, self.elapsed_s, size=self.profile.size)
            self.note_first_result()
        return self.on_result(self)

    def lose(self) -> None:
        """Leave the win to another attempt; one that is late goes on to its first result, observed.

        There is nothing to learn from one that is in time, waits for a lease, thinks, or is over already.
        """
        if self.timeout is None or now() < self.late_at or self.is_thinking:
            self.advance(AttemptEvent.LOSE)
            return
        self.advance(AttemptEvent.OBSERVE)
        silent_s = now() - self.alive_at if self.has_result else self.elapsed_s
        self.timeout.reschedule(now() + self.estimator.policy.silence_s - silent_s)

    def note_first_result(self) -> None:
        """Let all processes know how long the first result took, or takes at least."""
        if self.lease is not None and self.lease.clock.first_ms is None:
            self.lease.clock.first_ms = self.elapsed_s / self.profile.size * 1000


def now() -> float:
    """Return the time of the running loop, in seconds; tests let it pass as they like."""
    return asyncio.get_running_loop().time()

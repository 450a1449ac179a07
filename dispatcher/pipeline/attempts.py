"""The floor of one call, and the drafts that want it: the one that has a first result first counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from dispatcher.errors import InstanceUnreachable
from dispatcher.routing.leases import PickMode
from dispatcher.routing.router import Lease
from dispatcher.routing.rules.hedging import LateInstances, LatencyEstimator

Result = TypeVar("Result")
# Makes the call on an instance, asks for the floor when it has a first result, and may raise Outrun.
Draft: TypeAlias = "Callable[[Runner, Lease], Awaitable[Result]]"


def at_once() -> float:
    """Return a moment before any instance is asked."""
    return 0.0


class LostHedge(Exception):
    """Another draft has the floor; this one ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallProfile:
    """What of a call decides when an instance is late, and who is asked first.

    Attributes:
        size: how much there is to do, 1.0 for what is usual.
        first: the instance to ask first, where it is well and has a free slot; empty for any.
        ready_at: tells since when an instance has all that it needs, by the monotonic clock; infinity while
            it has not.
    """

    size: float = 1.0
    first: str = ""
    ready_at: Callable[[], float] = at_once


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequest:
    """One way to an instance.

    Attributes:
        excluded: names of those that will not do.
        waits: in line for a free slot; else only an instance that is well and free at once will do.
        is_for_idle: only an instance without any call will do.
        mode: how slow instances are treated, as in `leases.pick`; empty for what the race has come to.
    """

    excluded: Collection[str]
    waits: bool = True
    is_for_idle: bool = False
    mode: PickMode = ""


class Floor:
    """Who counts, and what is learned of instances from when their drafts had a first result.

    Attributes:
        holder: the draft that has the floor.
    """

    def __init__(
        self,
        usual_times: LatencyEstimator,
        suspects: LateInstances,
        course: CallProfile,
        on_taken: Callable[[], None],
    ) -> None:
        """Wait for the first result; `on_taken` is called when somebody has it."""
        self.holder: Runner | None = None
        self.usual_times = usual_times
        self.suspects = suspects
        self.course = course
        self._on_taken = on_taken

    def is_wanted_by(self, runner: Runner) -> bool:
        """Return whether a draft with a first result has the floor."""
        if self.holder is None:
            self.holder = runner
            self._on_taken()
        return self.holder is runner

    def is_free_again(self) -> None:
        """Let another draft have it: the one that had it failed."""
        self.holder = None


class Runner:
    """One draft under way on one instance.

    Attributes:
        lease: the instance's, once there is one.
        is_probe: it only shows how quick its instance is.
        has_lost: nothing of it will be heard.
    """

    def __init__(self, floor: Floor, *, is_probe: bool = False) -> None:
        """Enter the race for a floor, or run beside it."""
        self.lease: Lease | None = None
        self.is_probe = self.has_lost = is_probe
        self.task: asyncio.Task[Any] | None = None
        self.started_at = time.monotonic()
        self._floor = floor
        self._alive_at = self.started_at
        self._is_thinking = False
        self._is_known = False
        self._bound: asyncio.Timeout | None = None
        self._doubt: ExitStack | None = None

    @property
    def name(self) -> str:
        """Name of its instance, empty while it waits for one."""
        return self.lease.instance.name if self.lease else ""

    @property
    def stands_by(self) -> bool:
        """Whether its instance only stands by, and has the call because the others are out."""
        return self.lease is not None and self.lease.instance.priority == "standby"

    @property
    def has_floor(self) -> bool:
        """Whether this draft is the one that counts."""
        return self._floor.holder is self

    @property
    def asked_at(self) -> float:
        """Since when its instance could have answered, by the monotonic clock; infinity if it cannot yet."""
        return max(self.started_at, self._floor.course.ready_at())

    @property
    def elapsed_s(self) -> float:
        """Time since its instance could have answered; 0 for one that answers before it has all it needs."""
        return max(0.0, time.monotonic() - self.asked_at)

    @property
    def late_at(self) -> float:
        """When its next result is late by the measure of its instance, by the monotonic clock."""
        if self._is_known:
            return self._alive_at + self._floor.usual_times.policy.pause_s
        alternative_s = self.lease.slot.alternative_s if self.lease else None
        size = self._floor.course.size
        return self.asked_at + self._floor.usual_times.wait_s(
            self.name, size=size, alternative_s=alternative_s
        )

    @property
    def is_late(self) -> bool:
        """Whether its next result is late."""
        return self.lease is not None and time.monotonic() >= self.late_at

    @property
    def is_thinking(self) -> bool:
        """Whether its stream lives and holds no result yet: it is slow, and nothing is wrong with it."""
        return self._is_thinking and not self._is_known

    def begin(self, lease: Lease) -> None:
        """Take the instance that is asked now."""
        self.lease = lease
        self.started_at = self._alive_at = time.monotonic()

    def mark_alive(self, *, is_thinking: bool = False) -> None:
        """Note a piece of its stream, or a sign of life without one."""
        self._alive_at = time.monotonic()
        self._is_thinking = is_thinking

    async def write(self, lease: Lease, draft: Draft[Result]) -> Result:
        """Write the draft on its instance.

        Raises:
            Outrun: another one has the floor, or this one was heard out and still thinks.
            InstanceUnreachable: it was heard out, and no first result came.
        """
        longest_s = self._floor.usual_times.policy.probe_s if self.is_probe else None
        try:
            async with asyncio.timeout(longest_s) as self._bound:
                return await draft(self, lease)
        except TimeoutError:
            if not self._bound or not self._bound.expired():
                raise
            self._note_first()
            if self.is_thinking:
                raise LostHedge from None
            # Its silence counts against it, or a hung instance would cost every turn a second request.
            result = "next sentence" if self._is_known else self._floor.usual_times.policy.result
            reason = f"no {result} in time"
            raise InstanceUnreachable(lease.instance.name, reason) from None
        finally:
            self._bound = None
            self._is_trusted()

    def take_floor(self) -> bool:
        """Return whether this draft counts; what its instance needs for a first result is known now."""
        if not self._is_known:
            self._is_known = True
            self._floor.usual_times.note(self.name, self.elapsed_s, size=self._floor.course.size)
            self._note_first()
        self._is_trusted()
        return not self.has_lost and self._floor.is_wanted_by(self)

    def is_doubted(self) -> None:
        """Let other calls go elsewhere until its first result, or its end, shows what it is."""
        if self._doubt is None:
            self._doubt = ExitStack()
            self._doubt.enter_context(self._floor.suspects.marked_late(self.name))

    def hear_out(self) -> bool:
        """Let a draft that lost and is late go on to its first result, as long as one may take at most.

        Returns:
            False where there is nothing to learn: it is in time, has no instance, thinks, or is over already.
        """
        self.has_lost = True
        if self._bound is None or not self.is_late or self.is_thinking:
            return False
        silence_s = self._floor.usual_times.policy.silence_s
        silent_s = time.monotonic() - self._alive_at if self._is_known else self.elapsed_s
        self._bound.reschedule(asyncio.get_running_loop().time() + silence_s - silent_s)
        return True

    def _note_first(self) -> None:
        """Let all processes know how long the first result took, or takes at least."""
        if self.lease is not None and self.lease.clock.first_ms is None:
            self.lease.clock.first_ms = self.elapsed_s / self._floor.course.size * 1000

    def _is_trusted(self) -> None:
        if self._doubt is not None:
            self._doubt.close()
            self._doubt = None

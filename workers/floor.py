"""The floor of one reply, and the drafts that want it: the first with a whole sentence speaks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TypeAlias

from dispatcher.balancing.hedging import LONGEST_WAIT_S, Suspects, UsualTimes
from dispatcher.errors import InstanceUnreachable
from dispatcher.router import Lease

# Writes a reply on an instance, asks for the floor, and may raise Outrun.
Draft: TypeAlias = "Callable[[Runner, Lease], Awaitable[None]]"


class Outrun(Exception):
    """Another draft has the floor; this one ends."""


class Floor:
    """Who may speak, and what is learned of instances from when their drafts wanted to.

    Attributes:
        holder: the draft that has the floor.
        taken: set while somebody has it.
    """

    def __init__(self, usual_times: UsualTimes, suspects: Suspects) -> None:
        """Wait for the first whole sentence."""
        self.holder: Runner | None = None
        self.taken = asyncio.Event()
        self.usual_times = usual_times
        self.suspects = suspects

    def is_wanted_by(self, runner: Runner) -> bool:
        """Return whether a draft with a whole sentence, or a call of a tool, has the floor."""
        if self.holder is None:
            self.holder = runner
            self.taken.set()
        return self.holder is runner

    def is_free_again(self) -> None:
        """Let another draft speak: the one that had the floor failed."""
        self.holder = None
        self.taken.clear()


class Runner:
    """One draft under way on one instance.

    Attributes:
        lease: the instance's, once there is one.
    """

    def __init__(self, floor: Floor) -> None:
        """Enter the race for a floor."""
        self.lease: Lease | None = None
        self.task: asyncio.Task[None] | None = None
        self.started_at = time.monotonic()
        self._floor = floor
        self._is_known = False
        self._has_lost = False
        self._bound: asyncio.Timeout | None = None
        self._doubt = ExitStack()

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
        """Whether this draft is the one that is spoken."""
        return self._floor.holder is self

    @property
    def elapsed_s(self) -> float:
        """Time since its instance was asked."""
        return time.monotonic() - self.started_at

    @property
    def is_late(self) -> bool:
        """Whether its first sentence is late, by the measure of its instance."""
        return self.lease is not None and self.elapsed_s >= self._floor.usual_times.wait_s(self.name)

    async def write(self, lease: Lease, draft: Draft) -> None:
        """Write the draft on the instance that it has now.

        Raises:
            Outrun: another one has the floor.
            InstanceUnreachable: it was heard out, and no sentence came.
        """
        self.lease = lease
        self.started_at = time.monotonic()
        try:
            async with asyncio.timeout(None) as self._bound:
                await draft(self, lease)
        except TimeoutError:
            if not self._bound or not self._bound.expired():
                raise
            # Its silence counts against it, or a hung instance would cost every turn a second request.
            raise InstanceUnreachable(lease.instance.name, "no first sentence in time") from None
        finally:
            self._bound = None
            self._doubt.close()

    def take_floor(self) -> bool:
        """Return whether this draft may speak; what its instance needs for a first sentence is known now."""
        if not self._is_known:
            self._is_known = True
            self._floor.usual_times.note(self.name, self.elapsed_s)
            self._doubt.close()
        return not self._has_lost and self._floor.is_wanted_by(self)

    def is_doubted(self) -> None:
        """Let other calls go elsewhere until its first sentence, or its end, shows what it is."""
        self._doubt.enter_context(self._floor.suspects.suspected(self.name))

    def hear_out(self) -> bool:
        """Let a draft that lost and is late go on to its first sentence, as long as one may take at most.

        Returns:
            False where there is nothing to learn: it is in time, has no instance, or is over already.
        """
        self._has_lost = True
        if self._bound is None or not self.is_late:
            return False
        self._bound.reschedule(asyncio.get_running_loop().time() + LONGEST_WAIT_S - self.elapsed_s)
        return True

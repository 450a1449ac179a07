"""When the pieces of a timed answer are due, and what a fault makes of that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from dispatcher.bundled.refusals import RequestRefused
from dispatcher.bundled.timed.faults import Fault

Piece = TypeVar("Piece", str, bytes)

KEEP_ALIVE_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The first piece at `first_s` after the request, then one every `interval_s`."""

    first_s: float
    interval_s: float = 0.0

    def due_s(self, index: int, fault: Fault) -> float:
        """Return when a piece is due, counted from the request, so that no delay adds up."""
        interval_s = fault.value if fault.mode == "drip" else self.interval_s
        due_s = self.first_s + index * interval_s
        return due_s * fault.value if fault.mode == "slow" else due_s


async def paced(
    pieces: Iterable[Piece], schedule: Schedule, fault: Fault, *, sign_of_life: Piece
) -> AsyncGenerator[Piece, None]:
    """Yield each piece when it is due, or fail in the way that was asked for.

    Raises:
        RequestRefused: the fault says so; it comes before the first piece.
    """
    now_s = asyncio.get_running_loop().time
    started_s = now_s()
    await fail_early(schedule, fault)
    while fault.mode == "keepalive":
        yield sign_of_life
        await asyncio.sleep(KEEP_ALIVE_S)
    for index, piece in enumerate(pieces):
        if fault.mode == "stall-after" and index >= fault.value:
            await asyncio.Event().wait()
        wait_s = started_s + schedule.due_s(index, fault) - now_s()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        yield piece


async def fail_early(schedule: Schedule, fault: Fault) -> None:
    """Fail as before the first piece, at once or at the time when that was due.

    Raises:
        RequestRefused: the fault is one of these.
    """
    if fault.mode == "error":
        await asyncio.sleep(schedule.first_s)
    if fault.mode in {"error", "fast-error"}:
        raise RequestRefused(f"told to fail: {fault.mode}", status=500, code="fault")
